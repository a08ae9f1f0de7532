public import Keys
public import Transport

/// What one side of a byte stream makes of the bytes it gets: handshake, then messages. No I/O: bytes in, outputs out.
///
///     clear    dialler   clear mark, oldest version u8, newest version u8, opening
///              acceptor  clear mark, chosen version u8
///     sealed   dialler   sealed mark, oldest version u8, newest version u8, random 32 bytes
///              acceptor  sealed mark, chosen version u8, random 32 bytes, header 24 bytes, frame of one byte 01
///              dialler   header 24 bytes, frame of the opening
///     both     then frames both ways, as in `StreamWriter`
///     refusal  refusal mark, reason u8: 1 other key, 2 other version, 3 too many
///
/// Each direction of a sealed stream is a secretstream under a key of its own: BLAKE2b, keyed with the plugin's subkey,
/// over both hellos (so that versions and randoms cannot be changed) and the direction. The first frame of each side proves
/// that it holds the key; the acceptor's comes first, so that the dialler knows after one round trip.
///
/// How plugins turn each other away: an acceptor that does not understand the first bytes hangs up without a word, once it
/// has read what came. A dialler takes other first bytes than its own protocol's, and an end before any byte, for
/// `otherTransport`.
public struct StreamSession: Sendable {
    /// Which side this is.
    public enum Role: Hashable, Sendable {
        /// `opening` says what is wanted.
        case dialler(opening: [UInt8])
        case acceptor
    }

    /// What is to be done.
    public enum Output: Sendable {
        case write([UInt8])
        /// The handshake is over: the dialler wants `opening`, and messages may go out through the writer.
        case established(opening: [UInt8], StreamWriter)
        case message([UInt8])
        /// The peer has closed after its last message: nothing is missing.
        case ended
        /// Nothing more comes. `reply` is the last that goes out; `refusal` is told to the operator.
        case failed(ExchangeError, refusal: Refusal?, reply: [UInt8])
    }

    private static let randomBytes = 32

    private enum State: Sendable {
        case awaitingHello
        case awaitingClearAnswer(opening: [UInt8])
        case awaitingSealedAnswer(hello: [UInt8], opening: [UInt8])
        case awaitingHeader(Sealing)
        case awaitingProof(SecretStream, Sealing)
        case clearFrames
        case sealedFrames(SecretStream)
        case over
    }

    /// The keys of both directions, as this side sees them.
    private struct Sealing: Sendable {
        var receiving: Subkey
        var sending: SecretStream
        /// Of the dialler.
        var opening: [UInt8]?
    }

    private let role: Role
    private let wire: StreamProtocol
    private let key: Subkey?
    private var state = State.over
    private var buffer: [UInt8] = []
    private var position = 0
    private var hasHeard = false

    /// `key`: the plugin's subkey of the cluster key, `nil` to speak in clear.
    public init(role: Role, protocol wire: StreamProtocol, key: Subkey?) {
        if case .dialler(let opening) = role {
            precondition(opening.count == wire.openingBytes, "an opening of \(opening.count) bytes")
        }
        (self.role, self.wire, self.key) = (role, wire, key)
    }

    /// To be called once, when the connection stands.
    public mutating func start() -> [Output] {
        guard case .dialler(let opening) = role else {
            state = .awaitingHello
            return []
        }
        let versions = [wire.versions.lowerBound, wire.versions.upperBound]
        guard key != nil else {
            state = .awaitingClearAnswer(opening: opening)
            return [.write(wire.clearMark + versions + opening)]
        }
        let hello = wire.sealedMark + versions + SecretStream.random(Self.randomBytes)
        state = .awaitingSealedAnswer(hello: hello, opening: opening)
        return [.write(hello)]
    }

    /// More bytes from the peer.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [Output] {
        if bytes.isEmpty { return [] }
        hasHeard = true
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.count <= 128 * 1024)
            position = 0
        } else if position > 64 * 1024 {
            buffer.removeFirst(position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
        var outputs: [Output] = []
        while let step = step() {
            outputs += step
            if case .over = state { break }
        }
        return outputs
    }

    /// More bytes from the peer.
    public mutating func receive(_ bytes: [UInt8]) -> [Output] { bytes.withUnsafeBytes { receive($0) } }

    /// The peer's bytes have ended. `isReset`: without an end, which says nothing of what listens there: a node that is just
    /// stopping does that.
    public mutating func receiveEnd(isReset: Bool = false) -> [Output] {
        switch state {
        case .over: []
        case .awaitingClearAnswer, .awaitingSealedAnswer: fail(hasHeard || isReset ? .closed : .otherTransport)
        default: fail(.closed)
        }
    }

    /// Whether the first message of the handshake is still awaited, and what has come could be another protocol's.
    public var hasHeardNothing: Bool { !hasHeard }

    /// Handles the next piece of the buffer; `nil` when more bytes are needed.
    private mutating func step() -> [Output]? {
        switch state {
        case .over: return nil
        case .awaitingHello: return takeHello()
        case .awaitingClearAnswer(let opening): return takeClearAnswer(opening)
        case .awaitingSealedAnswer(let hello, let opening): return takeSealedAnswer(hello, opening)
        case .awaitingHeader(let sealing): return takeHeader(sealing)
        case .awaitingProof(let stream, let sealing): return takeProof(stream, sealing)
        case .clearFrames: return takeClearFrame()
        case .sealedFrames(let stream): return takeSealedFrame(stream)
        }
    }

    private var rest: ArraySlice<UInt8> { buffer[position...] }

    private mutating func take(_ count: Int) -> [UInt8]? {
        guard buffer.count - position >= count else { return nil }
        defer { position += count }
        return Array(buffer[position..<(position + count)])
    }

    private enum Start { case mark, beginning, other }

    /// Whether what has come begins with `mark`, or could once more comes.
    private func start(with mark: [UInt8]) -> Start {
        guard rest.starts(with: mark.prefix(rest.count)) else { return .other }
        return rest.count >= mark.count ? .mark : .beginning
    }

    private mutating func fail(_ error: ExchangeError, refusal: Refusal? = nil, reply: [UInt8] = []) -> [Output] {
        state = .over
        return [.failed(error, refusal: refusal, reply: reply)]
    }
}

// MARK: The acceptor's side of the handshake

extension StreamSession {
    private mutating func takeHello() -> [Output]? {
        if rest.isEmpty { return nil }
        switch (start(with: wire.clearMark), start(with: wire.sealedMark)) {
        case (.mark, _):
            guard key == nil else { return fail(.otherKey, refusal: .clearText, reply: wire.refusal(.otherKey)) }
            return takeClearHello()
        case (_, .mark):
            guard let key else { return fail(.otherKey, refusal: .sealed, reply: wire.refusal(.otherKey)) }
            return takeSealedHello(key)
        case (.beginning, _), (_, .beginning): return nil
        case (.other, .other): return fail(.otherTransport, refusal: .otherTransport)
        }
    }

    private mutating func takeClearHello() -> [Output]? {
        let markBytes = wire.clearMark.count
        guard let hello = take(markBytes + 2 + wire.openingBytes) else { return nil }
        let opening = Array(hello[(markBytes + 2)...])
        guard let version = commonVersion(hello[markBytes...]), wire.isKnownOpening(opening) else {
            return refuseVersion()
        }
        state = .clearFrames
        return [.write(wire.clearMark + [version]), .established(opening: opening, .clear)]
    }

    private mutating func takeSealedHello(_ key: Subkey) -> [Output]? {
        let markBytes = wire.sealedMark.count
        guard let hello = take(markBytes + 2 + Self.randomBytes) else { return nil }
        guard let version = commonVersion(hello[markBytes...]) else { return refuseVersion() }
        let answer = wire.sealedMark + [version] + SecretStream.random(Self.randomBytes)
        let sealing = sealing(key, hello: hello, answer: answer)
        state = .awaitingHeader(sealing)
        return [.write(answer + sealing.sending.header + StreamWriter.sealed(sealing.sending).frame([1]))]
    }

    /// The newest version that both sides speak. `hello` begins with the dialler's oldest and newest.
    private func commonVersion(_ hello: ArraySlice<UInt8>) -> UInt8? {
        let (oldest, newest) = (hello[hello.startIndex], hello[hello.startIndex + 1])
        guard oldest <= newest, oldest <= wire.versions.upperBound, newest >= wire.versions.lowerBound else {
            return nil
        }
        return min(newest, wire.versions.upperBound)
    }

    private mutating func refuseVersion() -> [Output] {
        fail(.otherVersion, refusal: .otherVersion, reply: wire.refusal(.otherVersion))
    }
}

// MARK: The dialler's side of the handshake

extension StreamSession {
    private mutating func takeClearAnswer(_ opening: [UInt8]) -> [Output]? {
        guard let answer = takeAnswer(mark: wire.clearMark, bytes: 1) else { return nil }
        switch answer {
        case .failure(let failure): return fail(failure)
        case .success(let version):
            guard wire.versions.contains(version[0]) else { return fail(.otherVersion) }
            state = .clearFrames
            return [.established(opening: opening, .clear)]
        }
    }

    private mutating func takeSealedAnswer(_ hello: [UInt8], _ opening: [UInt8]) -> [Output]? {
        guard let key, let answer = takeAnswer(mark: wire.sealedMark, bytes: 1 + Self.randomBytes) else { return nil }
        switch answer {
        case .failure(let failure): return fail(failure)
        case .success(let rest):
            guard wire.versions.contains(rest[0]) else { return fail(.otherVersion) }
            var sealing = sealing(key, hello: hello, answer: wire.sealedMark + rest)
            sealing.opening = opening
            state = .awaitingHeader(sealing)
            return []
        }
    }

    /// What follows the mark of an answer, or why there is none.
    private mutating func takeAnswer(mark: [UInt8], bytes: Int) -> Result<[UInt8], ExchangeError>? {
        if rest.isEmpty { return nil }
        switch (start(with: mark), start(with: wire.refusalMark)) {
        case (.mark, _): return take(mark.count + bytes).map { .success(Array($0[mark.count...])) }
        case (_, .mark):
            return take(wire.refusalMark.count + 1).map { refusal in
                switch StreamProtocol.RefusalReason(rawValue: refusal[refusal.count - 1]) {
                case .otherKey: .failure(.otherKey)
                case .otherVersion: .failure(.otherVersion)
                case .tooMany, nil: .failure(.closed)
                }
            }
        case (.beginning, _), (_, .beginning): return nil
        case (.other, .other): return .failure(.otherTransport)
        }
    }
}

// MARK: Keys and proofs

extension StreamSession {
    private func sealing(_ key: Subkey, hello: [UInt8], answer: [UInt8]) -> Sealing {
        let toAcceptor = key.derived(from: hello + answer + [1])
        let toDialler = key.derived(from: hello + answer + [2])
        return role == .acceptor
            ? Sealing(receiving: toAcceptor, sending: SecretStream(sendingWith: toDialler))
            : Sealing(receiving: toDialler, sending: SecretStream(sendingWith: toAcceptor))
    }

    private mutating func takeHeader(_ sealing: Sealing) -> [Output]? {
        guard let header = take(SecretStream.headerBytes) else { return nil }
        guard let stream = SecretStream(receivingWith: sealing.receiving, header: header) else { return fail(.closed) }
        state = .awaitingProof(stream, sealing)
        return []
    }

    private mutating func takeProof(_ stream: SecretStream, _ sealing: Sealing) -> [Output]? {
        let proofBytes = role == .acceptor ? wire.openingBytes : 1
        let frameBytes = SecretStream.overheadBytes + proofBytes
        guard let frame = take(4 + frameBytes) else { return nil }
        var reader = ByteReader(frame)
        let length = try? reader.integer(UInt32.self)
        let proof = length == UInt32(frameBytes) ? stream.pull(frame[4...])?.message : nil
        let writer = StreamWriter.sealed(sealing.sending)
        guard let opening = sealing.opening else {
            guard let proof, proof.count == proofBytes else { return fail(.otherKey, refusal: .otherKey) }
            guard wire.isKnownOpening(proof) else { return fail(.otherVersion, refusal: .otherVersion) }
            state = .sealedFrames(stream)
            return [.established(opening: proof, writer)]
        }
        // The own proof goes out in any case, so that an acceptor with another key learns of it too.
        let own = sealing.sending.header + writer.frame(opening)
        guard proof == [1] else { return fail(.otherKey, reply: own) }
        state = .sealedFrames(stream)
        return [.write(own), .established(opening: opening, writer)]
    }
}

// MARK: Messages

extension StreamSession {
    private func frameLength() -> UInt32? {
        var reader = ByteReader(rest)
        return try? reader.integer(UInt32.self)
    }

    private mutating func takeClearFrame() -> [Output]? {
        guard let length = frameLength() else { return nil }
        if length == StreamWriter.endMark {
            state = .over
            return [.ended]
        }
        guard length <= wire.maxMessageBytes else { return fail(.tooLarge) }
        let end = position + 4 + Int(length)
        guard buffer.count >= end else { return nil }
        defer { position = end }
        return [.message(Array(buffer[(position + 4)..<end]))]
    }

    private mutating func takeSealedFrame(_ stream: SecretStream) -> [Output]? {
        guard let length = frameLength() else { return nil }
        guard length <= wire.maxMessageBytes + SecretStream.overheadBytes else { return fail(.tooLarge) }
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
}
