import TransportKit

/// Turns messages into the bytes of one direction of an established exchange.
enum FrameWriter: Sendable {
    /// Clear membership exchange: memberlist messages end themselves, and the stream has no mark at its end.
    case bare
    case framed(StreamWriter)

    static let clear = FrameWriter.framed(.clear)

    /// The bytes of one message. Messages must go out in the order of these calls.
    func frame(_ message: [UInt8]) -> [UInt8] {
        switch self {
        case .bare: message
        case .framed(let writer): writer.frame(message)
        }
    }

    /// The bytes that tell the peer that the last message was the last; none where the layout has no such mark.
    func end() -> [UInt8] {
        switch self {
        case .bare: []
        case .framed(let writer): writer.end()
        }
    }
}
