public import Transport

/// Messages that every plugin takes on both channels: as memberlist's user messages they may travel bare over UDP, and
/// their end can be found in a stream.
public enum TestMessage {
    /// 08, length u32 big-endian, bytes.
    public static func make(_ payload: [UInt8]) -> [UInt8] {
        var message: [UInt8] = [8]
        message.append(bigEndian: UInt32(payload.count))
        return message + payload
    }

    /// One that tells its number, of `size` bytes where that is enough.
    public static func make(_ number: Int, size: Int = 0) -> [UInt8] {
        var payload = Array("\(number):".utf8)
        payload += [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: max(0, size - payload.count - 5))
        return make(payload)
    }

    /// Finds where one ends.
    public static let end: StreamFraming.Finder = { bytes in
        var reader = ByteReader(bytes)
        guard let type = try? reader.integer(UInt8.self) else { return .needsMore }
        guard type == 8 else { return .invalid }
        guard let length = try? reader.integer(UInt32.self) else { return .needsMore }
        return reader.remaining >= Int(length) ? .complete(5 + Int(length)) : .needsMore
    }
}
