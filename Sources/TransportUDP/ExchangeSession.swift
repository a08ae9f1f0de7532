internal import Keys
import Transport
import TransportKit

/// What one side of an exchange makes of the bytes it gets: handshake, then messages. No I/O: bytes in, outputs out.
///
///     clear membership   memberlist's stream bytes both ways, first byte 00..0d or f4; nothing of ours around them
///     all others         `StreamSession` with the marks d4 (clear), d8 (sealed) and df (refusal), and the channel u8 as
///                        opening
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

    /// Largest message in an exchange.
    static let maxMessageBytes = 1024 * 1024
    static let clearHello: UInt8 = 0xd4
    static let sealedHello: UInt8 = 0xd8
    static let refusal: UInt8 = 0xdf
    static let wire = StreamProtocol(
        clearMark: [clearHello], sealedMark: [sealedHello], refusalMark: [refusal], versions: 1...1, openingBytes: 1,
        maxMessageBytes: maxMessageBytes, isKnownOpening: { Channel(rawValue: $0[0]) != nil })

    private enum Stream {
        /// An acceptor before the first byte.
        case undecided
        case framed(StreamSession)
        case bare(BareStream)
        case over
    }

    private let role: Role
    private let key: Subkey?
    private let membershipStreamEnd: StreamFraming.Finder
    private var stream = Stream.undecided

    init(role: Role, key: Subkey?, membershipStreamEnd: @escaping StreamFraming.Finder) {
        self.role = role
        self.key = key
        self.membershipStreamEnd = membershipStreamEnd
    }

    /// Whether the exchange is a clear memberlist stream, whose directions end separately.
    var isBare: Bool {
        if case .bare = stream { true } else { false }
    }

    /// To be called once, when the connection stands.
    mutating func start() -> [Output] {
        guard case .dialler(let channel) = role else { return [] }
        if key == nil && channel == .membership { return beginBare(isDialler: true) }
        return beginFramed(.dialler(opening: [channel.rawValue]))
    }

    /// More bytes from the peer.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [Output] {
        guard let first = bytes.first else { return [] }
        switch stream {
        case .over: return []
        case .undecided: return accept(first) + receive(bytes)
        case .bare(var bare):
            stream = .over
            defer { stream = .bare(bare) }
            return bare.receive(bytes)
        case .framed(var session):
            stream = .over
            defer { stream = .framed(session) }
            return Self.outputs(session.receive(bytes))
        }
    }

    /// More bytes from the peer.
    mutating func receive(_ bytes: some Collection<UInt8>) -> [Output] { Array(bytes).withUnsafeBytes { receive($0) } }

    /// How long to wait before `look`, unless more bytes come; `nil` when there is nothing to look at.
    var lookDelay: Duration? {
        if case .bare(let bare) = stream { bare.lookDelay } else { nil }
    }

    /// Looks for the end of a message in all that has come.
    mutating func look() -> [Output] {
        guard case .bare(var bare) = stream else { return [] }
        stream = .over
        defer { stream = .bare(bare) }
        return bare.look()
    }

    /// The peer's bytes have ended; `isReset`: without an end.
    mutating func receiveEnd(isReset: Bool = false) -> [Output] {
        switch stream {
        case .over: return []
        case .undecided:
            stream = .over
            return [.failed(.closed, refusal: nil, reply: [])]
        case .bare(var bare):
            defer { stream = .bare(bare) }
            return bare.receiveEnd(isReset: isReset)
        case .framed(var session):
            defer { stream = .framed(session) }
            return Self.outputs(session.receiveEnd(isReset: isReset))
        }
    }

    /// What the first byte of a dialler says of the rest.
    private mutating func accept(_ first: UInt8) -> [Output] {
        switch first {
        case 0x0a:
            // memberlist's own encryption, which is not spoken yet.
            return refuse(key == nil ? .sealed : .otherKey, key == nil ? BareStream.encryptionNotConfigured : nil)
        case 0...0x0d, 0xf4:
            guard key == nil else { return refuse(.clearText, BareStream.remoteNotEncrypted) }
            return beginBare(isDialler: false)
        default: return beginFramed(.acceptor)
        }
    }

    private mutating func refuse(_ refusal: Refusal, _ text: String?) -> [Output] {
        stream = .over
        return [.failed(.otherKey, refusal: refusal, reply: text.map(BareStream.error) ?? [])]
    }

    private mutating func beginBare(isDialler: Bool) -> [Output] {
        stream = .bare(BareStream(isDialler: isDialler, end: membershipStreamEnd))
        return [.established(.membership, .bare)]
    }

    private mutating func beginFramed(_ role: StreamSession.Role) -> [Output] {
        var session = StreamSession(role: role, protocol: Self.wire, key: key)
        defer { stream = .framed(session) }
        return Self.outputs(session.start())
    }

    private static func outputs(_ outputs: [StreamSession.Output]) -> [Output] {
        outputs.map { output in
            switch output {
            case .write(let bytes): .write(bytes)
            // The session knows only openings that are channels.
            case .established(let opening, let writer):
                .established(Channel(rawValue: opening[0]) ?? .replication, .framed(writer))
            case .message(let message): .message(message)
            case .ended: .ended
            case .failed(let error, let refusal, let reply): .failed(error, refusal: refusal, reply: reply)
            }
        }
    }
}
