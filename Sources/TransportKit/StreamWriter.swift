public import Keys
internal import Transport

/// Turns messages into the bytes of one direction of an established stream.
///
///     clear   length u32 big-endian, message; length ffffffff: the end
///     sealed  length u32 big-endian, sealed message; the tag FINAL inside marks the end
public enum StreamWriter: Sendable {
    case clear
    case sealed(SecretStream)

    /// In place of a length: nothing more follows. Sealed streams mark their last frame inside instead.
    static let endMark: UInt32 = .max

    /// The bytes of one message. Messages must go out in the order of these calls.
    public func frame(_ message: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = []
        switch self {
        case .clear:
            frame.reserveCapacity(4 + message.count)
            frame.append(bigEndian: UInt32(message.count))
            frame += message
        case .sealed(let stream):
            frame.reserveCapacity(4 + message.count + SecretStream.overheadBytes)
            frame.append(bigEndian: UInt32(message.count + SecretStream.overheadBytes))
            stream.push(message, to: &frame)
        }
        return frame
    }

    /// The bytes that tell the peer that the last message was the last.
    public func end() -> [UInt8] {
        var frame: [UInt8] = []
        switch self {
        case .clear: frame.append(bigEndian: Self.endMark)
        case .sealed(let stream):
            frame.append(bigEndian: UInt32(SecretStream.overheadBytes))
            stream.push([], isLast: true, to: &frame)
        }
        return frame
    }
}
