/// What the handshake of one plugin's streams looks like, and what they carry.
public struct StreamProtocol: Sendable {
    /// First bytes of a stream in clear, of both sides. No two plugins may share any mark, and none may begin another.
    public var clearMark: [UInt8]
    /// First bytes of a sealed stream, of both sides.
    public var sealedMark: [UInt8]
    /// First bytes of an acceptor that turns a node of its own plugin away.
    public var refusalMark: [UInt8]
    /// Versions that this code speaks; the newest that both sides speak is used.
    public var versions: ClosedRange<UInt8>
    /// How many bytes a dialler says of what it wants, such as a channel.
    public var openingBytes: Int
    /// Whether an acceptor knows what a dialler wants; if not, it says that its version is another.
    public var isKnownOpening: @Sendable ([UInt8]) -> Bool
    /// Largest message, without length and seal.
    public var maxMessageBytes: Int

    /// A plugin's protocol. `name` makes the marks, such as `TCP`: the name and a letter for what follows.
    public init(
        name: String, versions: ClosedRange<UInt8> = 1...1, openingBytes: Int, maxMessageBytes: Int,
        isKnownOpening: @escaping @Sendable ([UInt8]) -> Bool
    ) {
        self.init(
            clearMark: Array((name + "c").utf8), sealedMark: Array((name + "s").utf8),
            refusalMark: Array((name + "r").utf8), versions: versions, openingBytes: openingBytes,
            maxMessageBytes: maxMessageBytes, isKnownOpening: isKnownOpening)
    }

    /// With marks that are given.
    public init(
        clearMark: [UInt8], sealedMark: [UInt8], refusalMark: [UInt8], versions: ClosedRange<UInt8>, openingBytes: Int,
        maxMessageBytes: Int, isKnownOpening: @escaping @Sendable ([UInt8]) -> Bool
    ) {
        precondition(openingBytes >= 1, "an opening of \(openingBytes) bytes")
        self.clearMark = clearMark
        self.sealedMark = sealedMark
        self.refusalMark = refusalMark
        self.versions = versions
        self.openingBytes = openingBytes
        self.maxMessageBytes = maxMessageBytes
        self.isKnownOpening = isKnownOpening
    }

    /// Why a node of the same plugin is turned away.
    enum RefusalReason: UInt8 { case otherKey = 1, otherVersion = 2, tooMany = 3 }

    /// What an acceptor says that takes no more, before it hangs up: the dialler's error is `closed`. Without a word the
    /// dialler would take it for another plugin.
    public var tooManyRefusal: [UInt8] { refusal(.tooMany) }

    func refusal(_ reason: RefusalReason) -> [UInt8] { refusalMark + [reason.rawValue] }
}
