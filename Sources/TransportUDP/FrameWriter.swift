import Transport

/// Turns messages into the bytes of one direction of an established exchange.
enum FrameWriter: Sendable {
    /// Clear membership exchange: memberlist messages end themselves.
    case bare
    /// u32 length and message.
    case clear
    /// u32 length and sealed message.
    case sealed(SecretStream)

    /// In place of a length: nothing more follows. Sealed streams mark their last frame inside instead.
    static let endMark: UInt32 = .max

    /// The bytes of one message. Messages must go out in the order of these calls.
    func frame(_ message: [UInt8]) -> [UInt8] {
        switch self {
        case .bare:
            return message
        case .clear:
            var frame: [UInt8] = []
            frame.reserveCapacity(4 + message.count)
            frame.append(bigEndian: UInt32(message.count))
            frame += message
            return frame
        case .sealed(let stream):
            var frame: [UInt8] = []
            frame.reserveCapacity(4 + message.count + SecretStream.overheadBytes)
            frame.append(bigEndian: UInt32(message.count + SecretStream.overheadBytes))
            stream.push(message, to: &frame)
            return frame
        }
    }

    /// The bytes that tell the peer that the last message was the last; none where the layout has no such mark.
    func end() -> [UInt8] {
        var frame: [UInt8] = []
        switch self {
        case .bare: break
        case .clear: frame.append(bigEndian: Self.endMark)
        case .sealed(let stream):
            frame.append(bigEndian: UInt32(SecretStream.overheadBytes))
            stream.push([], isLast: true, to: &frame)
        }
        return frame
    }
}
