internal import CSodium
internal import Keys
import Transport

/// What one side of an exchange makes of the bytes it gets: handshake, then messages. No I/O: bytes in, outputs out.
///
///     clear membership   memberlist's stream bytes both ways, first byte 00..0d; nothing of ours around them
///     clear replication  dialler   d4, oldest version u8, newest version u8, channel u8
///                        acceptor  d4, chosen version u8
///                        then frames both ways: length u32 big-endian, message; length ffffffff: the end
///     sealed, both       dialler   d8, oldest version u8, newest version u8, random 32 bytes
///                        acceptor  d8, chosen version u8, random 32 bytes, header 24 bytes, frame of one byte 01
///                        dialler   header 24 bytes, frame of one byte: the channel
///                        then frames both ways: length u32 big-endian, sealed message; tag FINAL: the end
///     refusal            df, reason u8: 1 other key, 2 other version
///
/// Each direction of a sealed exchange is a secretstream under a key of its own: BLAKE2b, keyed with the exchange
/// subkey, over both hellos (so that versions and randoms cannot be changed) and the direction. The first frame of
/// each side proves that it holds the key; the acceptor's comes first, so that the dialler knows after one round
/// trip.
struct ExchangeSession {
    enum Role: Hashable, Sendable {
        case dialler(Channel)
        case acceptor
    }

    enum Output {
        case write([UInt8])
        /// The handshake is over, and messages may go out through the writer.
        case established(Channel, FrameWriter)
        case message([UInt8])
        /// The peer has closed after its last message.
        case ended
        /// Nothing more comes. `reply` is the last that goes out; `refusal` is told to the operator.
        case failed(ExchangeError, refusal: Refusal?, reply: [UInt8])
    }

    /// Versions of the exchange protocol that this code speaks.
    static let versions: ClosedRange<UInt8> = 1...1
    /// Largest message in an exchange.
    static let maxMessageBytes = 1024 * 1024
    static let clearHello: UInt8 = 0xd4
    static let sealedHello: UInt8 = 0xd8
    static let refusal: UInt8 = 0xdf
    static let randomBytes = 32
    /// Up to here the end of a clear membership message is looked for whenever bytes have come; see `lookDelay`.
    static let alwaysLookedAtBytes = 4 * 1024
    /// The first `lookDelay` after growth.
    static let shortestLookDelay: Duration = .milliseconds(20)

    private enum RefusalReason: UInt8 { case otherKey = 1, otherVersion = 2 }

    private enum State {
        case awaitingHello
        case awaitingClearAnswer
        case awaitingSealedAnswer(hello: [UInt8])
        case awaitingHeader(SecretStreamKeys)
        case awaitingProof(SecretStream, SecretStreamKeys)
        case clearFrames
        case sealedFrames(SecretStream)
        case bare(isFirst: Bool)
        case over
    }

    /// The keys of both directions, as this side sees them, and the stream it sends on.
    private struct SecretStreamKeys {
        var receiving: Subkey
        var sending: SecretStream
    }

    /// Whether the exchange is a clear memberlist stream, whose directions end separately.
    private(set) var isBare = false

    private let role: Role
    private let key: Subkey?
    private let membershipStreamEnd: StreamFraming.Finder
    private var state: State = .over
    private var buffer: [UInt8] = []
    private var position = 0
    /// How much of a clear membership message was there when its end was last looked for in vain.
    private var lookedAtBytes = 0
    /// Calls of `look` since it last grew by an eighth from one look to the next.
    private var lookCount = 0

    init(role: Role, key: Subkey?, membershipStreamEnd: @escaping StreamFraming.Finder) {
        self.role = role
        self.key = key
        self.membershipStreamEnd = membershipStreamEnd
    }

    /// To be called once, when the connection stands.
    mutating func start() -> [Output] {
        guard case .dialler(let channel) = role else {
            state = .awaitingHello
            return []
        }
        if key != nil {
            let hello = [Self.sealedHello, Self.versions.lowerBound, Self.versions.upperBound] + Self.random()
            state = .awaitingSealedAnswer(hello: hello)
            return [.write(hello)]
        }
        if channel == .membership {
            state = .bare(isFirst: true)
            isBare = true
            return [.established(.membership, .bare)]
        }
        state = .awaitingClearAnswer
        return [.write([Self.clearHello, Self.versions.lowerBound, Self.versions.upperBound, channel.rawValue])]
    }

    /// More bytes from the peer.
    mutating func receive(_ bytes: some Collection<UInt8>) -> [Output] {
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.count <= 128 * 1024)
            position = 0
        } else if position > 64 * 1024 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer += bytes
        return steps(isForced: false)
    }

    private mutating func steps(isForced: Bool) -> [Output] {
        var outputs: [Output] = []
        while let step = step(isForced: isForced) {
            outputs += step
            if case .over = state { break }
        }
        return outputs
    }

    /// How long to wait before `look`, unless more bytes come; `nil` when there is nothing to look at.
    ///
    /// A clear membership message does not say how long it is, and each look for its end begins at its beginning. So
    /// that a peer who sends single bytes cannot make that a quadratic effort, a long message is looked at when it has
    /// grown by an eighth, and apart from that after delays that double: a whole message waits for 20 ms, or about as
    /// long as it has come in slowly before, at most 5 s.
    var lookDelay: Duration? {
        guard case .bare = state, lookedAtBytes > 0, buffer.count - position > lookedAtBytes else { return nil }
        return Self.shortestLookDelay * (1 << min(lookCount, 8))
    }

    /// Looks for the end of a message in all that has come.
    mutating func look() -> [Output] {
        guard lookDelay != nil else { return [] }
        lookCount += 1
        return steps(isForced: true)
    }

    /// The peer's bytes have ended.
    mutating func receiveEnd() -> [Output] {
        let outputs = look()
        switch state {
        case .over: return outputs
        case .bare where position == buffer.count:
            state = .over
            return outputs + [.ended]
        default: return outputs + fail(.closed)
        }
    }

    /// Handles the next piece of the buffer; `nil` when more bytes are needed. `isForced`: see `look`.
    private mutating func step(isForced: Bool) -> [Output]? {
        switch state {
        case .over: return nil
        case .awaitingHello: return takeHello()
        case .awaitingClearAnswer: return takeClearAnswer()
        case .awaitingSealedAnswer(let hello): return takeSealedAnswer(hello)
        case .awaitingHeader(let keys): return takeHeader(keys)
        case .awaitingProof(let stream, let keys): return takeProof(stream, keys)
        case .clearFrames: return takeClearFrame()
        case .sealedFrames(let stream): return takeSealedFrame(stream)
        case .bare(let isFirst): return takeBareMessage(isFirst: isFirst, isForced: isForced)
        }
    }

    private var rest: ArraySlice<UInt8> { buffer[position...] }

    private mutating func take(_ count: Int) -> [UInt8]? {
        guard buffer.count - position >= count else { return nil }
        defer { position += count }
        return Array(buffer[position..<(position + count)])
    }

    private mutating func fail(_ error: ExchangeError, refusal: Refusal? = nil, reply: [UInt8] = []) -> [Output] {
        state = .over
        return [.failed(error, refusal: refusal, reply: reply)]
    }

    private static func random() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: randomBytes)
        randombytes_buf(&bytes, bytes.count)
        return bytes
    }
}

// MARK: The acceptor's side of the handshake

extension ExchangeSession {
    private mutating func takeHello() -> [Output]? {
        guard let first = rest.first else { return nil }
        switch first {
        case Self.clearHello:
            guard key == nil else { return fail(.otherKey, refusal: .clearText, reply: refuse(.otherKey)) }
            guard let hello = take(4) else { return nil }
            guard let version = commonVersion(hello[1], hello[2]) else { return refuseVersion() }
            guard let channel = Channel(rawValue: hello[3]) else { return refuseVersion() }
            state = .clearFrames
            return [.write([Self.clearHello, version]), .established(channel, .clear)]
        case Self.sealedHello:
            guard let key else { return fail(.otherKey, refusal: .sealed, reply: refuse(.otherKey)) }
            guard let hello = take(3 + Self.randomBytes) else { return nil }
            guard let version = commonVersion(hello[1], hello[2]) else { return refuseVersion() }
            let answer = [Self.sealedHello, version] + Self.random()
            let keys = streamKeys(key, hello: hello, answer: answer)
            state = .awaitingHeader(keys)
            return [.write(answer + keys.sending.header + FrameWriter.sealed(keys.sending).frame([1]))]
        case 0x0a:
            // memberlist's own encryption, which is not spoken yet.
            return fail(
                .otherKey, refusal: key == nil ? .sealed : .otherKey,
                reply: key == nil ? Self.memberlistError(Self.encryptionNotConfigured) : [])
        case 0...0x0d, 0xf4:
            guard key == nil else {
                return fail(
                    .otherKey, refusal: .clearText, reply: Self.memberlistError(Self.remoteNotEncrypted))
            }
            state = .bare(isFirst: true)
            isBare = true
            return [.established(.membership, .bare)]
        default:
            return fail(.otherTransport, refusal: .otherTransport)
        }
    }

    /// The newest version that both sides speak.
    private func commonVersion(_ oldest: UInt8, _ newest: UInt8) -> UInt8? {
        guard oldest <= newest, oldest <= Self.versions.upperBound, newest >= Self.versions.lowerBound else {
            return nil
        }
        return min(newest, Self.versions.upperBound)
    }

    private mutating func refuseVersion() -> [Output] {
        fail(.otherVersion, refusal: .otherVersion, reply: refuse(.otherVersion))
    }

    private func refuse(_ reason: RefusalReason) -> [UInt8] { [Self.refusal, reason.rawValue] }

    private static let encryptionNotConfigured = "Remote state is encrypted and encryption is not configured"
    private static let remoteNotEncrypted = "Encryption is configured but remote state is not encrypted"

    /// memberlist's answer to a stream that it does not take: 0d, map {Error: text}.
    private static func memberlistError(_ text: String) -> [UInt8] {
        var message: [UInt8] = [0x0d, 0x81, 0xa5] + Array("Error".utf8) + [0xda]
        message.append(bigEndian: UInt16(text.utf8.count))
        return message + Array(text.utf8)
    }
}

// MARK: The dialler's side of the handshake

extension ExchangeSession {
    private mutating func takeClearAnswer() -> [Output]? {
        guard let first = rest.first else { return nil }
        guard first == Self.clearHello || first == Self.refusal else { return fail(.otherTransport) }
        guard let answer = take(2) else { return nil }
        if first == Self.refusal { return fail(refusalError(answer[1])) }
        guard Self.versions.contains(answer[1]), case .dialler(let channel) = role else { return fail(.otherVersion) }
        state = .clearFrames
        return [.established(channel, .clear)]
    }

    private mutating func takeSealedAnswer(_ hello: [UInt8]) -> [Output]? {
        guard let first = rest.first, let key else { return nil }
        if first == Self.refusal {
            guard let answer = take(2) else { return nil }
            return fail(refusalError(answer[1]))
        }
        // A memberlist node without our sealing answers a byte that it does not know with an error, or not at all.
        guard first == Self.sealedHello else { return fail(.otherTransport) }
        guard let answer = take(2 + Self.randomBytes) else { return nil }
        guard Self.versions.contains(answer[1]) else { return fail(.otherVersion) }
        state = .awaitingHeader(streamKeys(key, hello: hello, answer: answer))
        return []
    }

    private func refusalError(_ reason: UInt8) -> ExchangeError {
        switch RefusalReason(rawValue: reason) {
        case .otherKey: .otherKey
        case .otherVersion: .otherVersion
        case nil: .closed
        }
    }
}

// MARK: Keys and proofs

extension ExchangeSession {
    private func streamKeys(_ key: Subkey, hello: [UInt8], answer: [UInt8]) -> SecretStreamKeys {
        func directionKey(_ direction: UInt8) -> Subkey {
            let input = hello + answer + [direction]
            return Subkey { output in
                key.withBytes { key in
                    crypto_generichash(
                        output, ClusterKey.byteCount, input, UInt64(input.count), key, ClusterKey.byteCount)
                }
            }
        }
        let (toAcceptor, toDialler) = (directionKey(1), directionKey(2))
        return role == .acceptor
            ? SecretStreamKeys(receiving: toAcceptor, sending: SecretStream(sendingWith: toDialler))
            : SecretStreamKeys(receiving: toDialler, sending: SecretStream(sendingWith: toAcceptor))
    }

    private mutating func takeHeader(_ keys: SecretStreamKeys) -> [Output]? {
        guard let header = take(SecretStream.headerBytes) else { return nil }
        guard let stream = SecretStream(receivingWith: keys.receiving, header: header) else { return fail(.closed) }
        state = .awaitingProof(stream, keys)
        return []
    }

    private mutating func takeProof(_ stream: SecretStream, _ keys: SecretStreamKeys) -> [Output]? {
        let frameBytes = SecretStream.overheadBytes + 1
        guard let frame = take(4 + frameBytes) else { return nil }
        let proof =
            Array(frame.prefix(4)) == [0, 0, 0, UInt8(frameBytes)] ? stream.pull(frame[4...])?.message.first : nil
        let writer = FrameWriter.sealed(keys.sending)
        switch role {
        case .dialler(let channel):
            // The own proof goes out in any case, so that an acceptor with another key learns of it too.
            let own = keys.sending.header + writer.frame([channel.rawValue])
            guard proof == 1 else { return fail(.otherKey, reply: own) }
            state = .sealedFrames(stream)
            return [.write(own), .established(channel, writer)]
        case .acceptor:
            guard let proof else { return fail(.otherKey, refusal: .otherKey) }
            guard let channel = Channel(rawValue: proof) else { return fail(.otherVersion, refusal: .otherVersion) }
            state = .sealedFrames(stream)
            return [.established(channel, writer)]
        }
    }
}

// MARK: Messages

extension ExchangeSession {
    private func frameLength() -> UInt32? {
        var reader = ByteReader(rest)
        return try? reader.integer(UInt32.self)
    }

    private mutating func takeClearFrame() -> [Output]? {
        guard let length = frameLength() else { return nil }
        if length == FrameWriter.endMark {
            state = .over
            return [.ended]
        }
        guard length <= Self.maxMessageBytes else { return fail(.tooLarge) }
        guard let frame = take(4 + Int(length)) else { return nil }
        return [.message(Array(frame[4...]))]
    }

    private mutating func takeSealedFrame(_ stream: SecretStream) -> [Output]? {
        guard let length = frameLength() else { return nil }
        guard length <= Self.maxMessageBytes + SecretStream.overheadBytes else { return fail(.tooLarge) }
        let end = position + 4 + Int(length)
        guard buffer.count >= end else { return nil }
        guard let (message, isLast) = stream.pull(buffer[(position + 4)..<end]) else { return fail(.closed) }
        position = end
        if isLast {
            state = .over
            return [.ended]
        }
        return [.message(message)]
    }

    private mutating func takeBareMessage(isFirst: Bool, isForced: Bool) -> [Output]? {
        guard let first = rest.first else { return nil }
        if isFirst, role != .acceptor {
            // The first answer shows what the other side is: a memberlist stream was sent without asking.
            switch first {
            case Self.refusal:
                guard let answer = take(2) else { return nil }
                return fail(refusalError(answer[1]))
            case 0x0a: return fail(.otherKey)
            case 0...0x0d, 0xf4: break
            default: return fail(.otherTransport)
            }
        }
        let bytes = rest.count
        let hasGrown = bytes - lookedAtBytes >= lookedAtBytes / 8
        let isAtLimit = bytes <= Self.alwaysLookedAtBytes || bytes > Self.maxMessageBytes
        guard isForced || hasGrown || isAtLimit else { return nil }
        switch membershipStreamEnd(rest) {
        case .needsMore:
            lookedAtBytes = bytes
            if hasGrown { lookCount = 0 }
            return bytes > Self.maxMessageBytes ? fail(.tooLarge) : nil
        case .invalid:
            return isKeyError(rest) ? fail(.otherKey) : fail(.closed)
        case .complete(let count):
            guard count > 0, count <= Self.maxMessageBytes, let message = take(count) else { return fail(.tooLarge) }
            if isFirst, isKeyError(message[...]) { return fail(.otherKey) }
            state = .bare(isFirst: false)
            (lookedAtBytes, lookCount) = (0, 0)
            return [.message(message)]
        }
    }

    /// Whether a memberlist error message says that one side has a key and the other has not. It comes with either case
    /// of the first letter.
    private func isKeyError(_ message: ArraySlice<UInt8>) -> Bool {
        guard role != .acceptor, message.first == 0x0d, message.count < 1_024 else { return false }
        let text = String(decoding: message, as: UTF8.self)
        return text.contains("ncryption is ") || text.contains("could decrypt the message")
    }
}
