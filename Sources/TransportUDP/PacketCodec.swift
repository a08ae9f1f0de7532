package import Transport

/// What one packet holds, once it is open: memberlist's layout with parts of our own among memberlist's.
///
///     packet      one part, or a compound
///     compound    07, count u8, count x (length u16 big-endian), the parts one after another
///     part        00..06, 08, 0b, 0d and the rest   a memberlist message: channel membership, as it is
///                 d0 and the message                channel replication, unicast
///                 d1 and the message                channel replication, broadcast that receivers pass on
///                 d2 and the message                channel replication, broadcast that its sender gave to everyone
///
/// A part that would run over the end is dropped with all later ones, the earlier ones count; a packet with fewer
/// length bytes than announced is dropped whole. CRC (0c), compression (09), labels (f4), AES envelopes and a
/// compound within a compound are not spoken.
package enum PacketCodec {
    /// Largest packet that is sent, sealing included: fits into an Ethernet frame with IP and UDP headers, and is
    /// memberlist's UDPBufferSize.
    package static let maxPacketBytes = 1_400
    /// Most parts in one compound: its count is one byte.
    package static let maxParts = 255
    /// Bytes in front of a compound's lengths.
    package static let compoundHeaderBytes = 2
    /// Bytes that each part of a compound takes besides itself.
    package static let lengthBytes = 2

    static let compoundType: UInt8 = 0x07
    /// memberlist's alive.
    static let aliveType: UInt8 = 0x04

    /// How a part says what it is.
    package enum Kind: UInt8, Sendable {
        case unicast = 0xd0
        case broadcast = 0xd1
        case broadcastReachedEveryone = 0xd2

        var delivery: Arrival.Delivery {
            switch self {
            case .unicast: .unicast
            case .broadcast: .broadcast(reachedEveryone: false)
            case .broadcastReachedEveryone: .broadcast(reachedEveryone: true)
            }
        }
    }

    /// One message of a packet.
    package struct Part: Hashable, Sendable {
        package var channel: Channel
        package var delivery: Arrival.Delivery
        package var message: ArraySlice<UInt8>
    }

    /// The messages of one packet, and how many parts were left out for each cause.
    package struct Contents: Sendable {
        package var parts: [Part] = []
        package var malformed = 0
        package var unsupported = 0
    }

    /// Takes an open packet apart. Never fails: what cannot be used is counted.
    package static func decode(_ packet: ArraySlice<UInt8>) -> Contents {
        var contents = Contents()
        guard packet.first == compoundType else {
            contents.add(packet)
            return contents
        }
        var reader = ByteReader(packet.dropFirst())
        guard let count = try? reader.integer(UInt8.self),
            let table = try? reader.slice(Int(count) * lengthBytes)
        else {
            contents.malformed += 1
            return contents
        }
        contents.parts.reserveCapacity(Int(count))
        var lengths = ByteReader(table)
        while let length = try? lengths.integer(UInt16.self) {
            guard let part = try? reader.slice(Int(length)) else {
                contents.malformed += 1
                break
            }
            contents.add(part)
        }
        return contents
    }

    /// One packet of `parts`, each with its type byte: alone as it is, several as a compound. At most 255 parts.
    package static func encode(_ parts: [[UInt8]]) -> [UInt8] {
        if parts.count == 1 { return parts[0] }
        precondition(parts.count <= maxParts, "\(parts.count) parts in one packet")
        var packet: [UInt8] = [compoundType, UInt8(parts.count)]
        packet.reserveCapacity(maxPacketBytes)
        for part in parts { packet.append(bigEndian: UInt16(part.count)) }
        for part in parts { packet += part }
        return packet
    }

    /// Whether a message of the membership channel can travel as it is: its first byte must be a memberlist message,
    /// not a layer around one.
    package static func isMembershipMessage(_ message: ArraySlice<UInt8>) -> Bool {
        switch message.first {
        case 0, 1, 2, 3, 4, 5, 6, 8, 11, 13: true
        default: false
        }
    }
}

extension PacketCodec.Contents {
    fileprivate mutating func add(_ part: ArraySlice<UInt8>) {
        guard let type = part.first else {
            malformed += 1
            return
        }
        if let kind = PacketCodec.Kind(rawValue: type) {
            parts.append(.init(channel: .replication, delivery: kind.delivery, message: part.dropFirst()))
        } else if PacketCodec.isMembershipMessage(part) {
            parts.append(.init(channel: .membership, delivery: .unicast, message: part))
        } else {
            unsupported += 1
        }
    }
}
