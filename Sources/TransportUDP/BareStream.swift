import Transport

/// An exchange that is one of memberlist's streams: messages that carry no length, and errors instead of a handshake.
///
/// A message does not say how long it is, and each look for its end begins at its beginning. So that a peer who sends
/// single bytes cannot make that a quadratic effort, a long message is looked at when it has grown by an eighth, and apart
/// from that after delays that double: a whole message waits for 20 ms, or about as long as it has come in slowly before,
/// at most 5 s.
struct BareStream: Sendable {
    typealias Output = ExchangeSession.Output

    /// Up to here the end of a message is looked for whenever bytes have come.
    static let alwaysLookedAtBytes = 4 * 1024
    /// The first `lookDelay` after growth.
    static let shortestLookDelay: Duration = .milliseconds(20)
    /// Longest error message that is looked through for what it says.
    private static let maxErrorBytes = 1_024

    static let encryptionNotConfigured = "Remote state is encrypted and encryption is not configured"
    static let remoteNotEncrypted = "Encryption is configured but remote state is not encrypted"

    private let isDialler: Bool
    private let end: StreamFraming.Finder
    private var buffer: [UInt8] = []
    private var position = 0
    private var isFirst = true
    private var isOver = false
    /// How much of a message was there when its end was last looked for in vain.
    private var lookedAtBytes = 0
    /// Calls of `look` since it last grew by an eighth from one look to the next.
    private var lookCount = 0

    init(isDialler: Bool, end: @escaping StreamFraming.Finder) {
        self.isDialler = isDialler
        self.end = end
    }

    /// memberlist's answer to a stream that it does not take: 0d, map {Error: text}.
    static func error(_ text: String) -> [UInt8] {
        var message: [UInt8] = [0x0d, 0x81, 0xa5] + Array("Error".utf8) + [0xda]
        message.append(bigEndian: UInt16(text.utf8.count))
        return message + Array(text.utf8)
    }

    /// More bytes from the peer.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [Output] {
        if isOver { return [] }
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.count <= 128 * 1024)
            position = 0
        } else if position > 64 * 1024 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
        return steps(isForced: false)
    }

    /// How long to wait before `look`, unless more bytes come; `nil` when there is nothing to look at.
    var lookDelay: Duration? {
        guard !isOver, lookedAtBytes > 0, rest.count > lookedAtBytes else { return nil }
        return Self.shortestLookDelay * (1 << min(lookCount, 8))
    }

    /// Looks for the end of a message in all that has come.
    mutating func look() -> [Output] {
        guard lookDelay != nil else { return [] }
        lookCount += 1
        return steps(isForced: true)
    }

    /// The peer's bytes have ended; `isReset`: without an end.
    mutating func receiveEnd(isReset: Bool) -> [Output] {
        if isOver { return [] }
        let outputs = look()
        if isOver { return outputs }
        guard rest.isEmpty, !isReset else { return outputs + fail(.closed) }
        // Where there is no handshake the first answer shows what the other side is.
        if isDialler, isFirst { return outputs + fail(.otherTransport) }
        isOver = true
        return outputs + [.ended]
    }

    private var rest: ArraySlice<UInt8> { buffer[position...] }

    private mutating func steps(isForced: Bool) -> [Output] {
        var outputs: [Output] = []
        while !isOver, let step = step(isForced: isForced) { outputs.append(step) }
        return outputs
    }

    /// Handles the next message; `nil` when more bytes are needed. `isForced`: see `look`.
    private mutating func step(isForced: Bool) -> Output? {
        guard let first = rest.first else { return nil }
        if isFirst, isDialler {
            switch first {
            case ExchangeSession.refusal: return takeRefusal()
            case 0x0a: return failed(.otherKey)
            case 0...0x0d, 0xf4: break
            default: return failed(.otherTransport)
            }
        }
        let bytes = rest.count
        let hasGrown = bytes - lookedAtBytes >= lookedAtBytes / 8
        let isAtLimit = bytes <= Self.alwaysLookedAtBytes || bytes > ExchangeSession.maxMessageBytes
        guard isForced || hasGrown || isAtLimit else { return nil }
        switch end(rest) {
        case .needsMore:
            lookedAtBytes = bytes
            if hasGrown { lookCount = 0 }
            return bytes > ExchangeSession.maxMessageBytes ? failed(.tooLarge) : nil
        case .invalid:
            return failed(isKeyError(rest) ? .otherKey : .closed)
        case .complete(let count):
            guard count > 0, count <= ExchangeSession.maxMessageBytes, count <= bytes else { return failed(.tooLarge) }
            let message = Array(rest.prefix(count))
            position += count
            if isFirst, isKeyError(message[...]) { return failed(.otherKey) }
            isFirst = false
            (lookedAtBytes, lookCount) = (0, 0)
            return .message(message)
        }
    }

    /// A node of ours says why it does not take the stream, as in `StreamSession`.
    private mutating func takeRefusal() -> Output? {
        guard rest.count >= 2 else { return nil }
        switch rest[position + 1] {
        case 1: return failed(.otherKey)
        case 2: return failed(.otherVersion)
        default: return failed(.closed)
        }
    }

    /// Whether a memberlist error message says that one side has a key and the other has not. It comes with either case
    /// of the first letter.
    private func isKeyError(_ message: ArraySlice<UInt8>) -> Bool {
        guard isDialler, message.first == 0x0d, message.count < Self.maxErrorBytes else { return false }
        let text = String(decoding: message, as: UTF8.self)
        return text.contains("ncryption is ") || text.contains("could decrypt the message")
    }

    private mutating func failed(_ error: ExchangeError) -> Output {
        isOver = true
        return .failed(error, refusal: nil, reply: [])
    }

    private mutating func fail(_ error: ExchangeError) -> [Output] { [failed(error)] }
}
