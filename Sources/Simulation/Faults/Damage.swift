internal import Membership
internal import Replication
internal import Transport
internal import TransportUDP

/// Bytes that change on their way, and the checksum that notices.
enum Damage {
    /// Changes up to 15 bits in a row. `false` where the checksum would not notice, so that nothing is changed: it notices
    /// all such damage but that of a word of zeros into a word of ones.
    static func strike(_ content: inout [UInt8], using generator: inout SeededGenerator) -> Bool {
        guard content.count >= 2 else { return false }
        var damaged = content
        let bit = Int.random(in: 0...(content.count * 8 - 15), using: &generator)
        let pattern = UInt16.random(in: 1..<(1 << 15), using: &generator)
        for offset in 0..<15 where pattern & (1 << UInt16(offset)) != 0 {
            damaged[(bit + offset) / 8] ^= 0x80 >> UInt8((bit + offset) % 8)
        }
        guard checksum(damaged) != checksum(content) else { return false }
        content = damaged
        return true
    }

    /// The Internet checksum (RFC 1071), as UDP has it.
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt64 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt64(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt64(bytes[index + 1]) : 0)
        }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return ~UInt16(sum)
    }

    /// Reads a damaged datagram as far as it can be read.
    static func decode(_ content: [UInt8]) {
        for part in PacketCodec.decode(content[...]).parts {
            switch part.channel {
            case .membership: _ = try? MemberlistCodec.decode(Array(part.message))
            case .replication: _ = try? ReplicationMessage.decode(part.message)
            }
        }
    }
}
