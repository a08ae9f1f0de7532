public import Keys
public import Transport

/// A transport as a program offers it: what the configuration calls it, what it asks the configuration for, and how it is made.
///
/// Two of the same kind are the same: a program has one of each.
public struct TransportPlugin: Sendable {
    /// What `node.transport.kind` and `-transport` call it: lower-case ASCII letters and digits. The same on all nodes.
    public let kind: String
    /// Its settings besides those that every transport has, in the order in which help texts list them.
    public let options: [TransportOption]
    /// An older mapping beside `node.transport` that still means this transport: its only key is `bind_addr`.
    public let olderSection: String?
    /// Binds it; nothing moves before `Transport.run`. What it throws ends the program with one sentence.
    public let make: @Sendable (TransportSettings) throws(TransportError) -> any Transport

    /// A transport to hand to the program's entry.
    public init(
        kind: String, options: [TransportOption] = [], olderSection: String? = nil,
        make: @escaping @Sendable (TransportSettings) throws(TransportError) -> any Transport
    ) {
        self.kind = kind
        self.options = options
        self.olderSection = olderSection
        self.make = make
    }
}

extension TransportPlugin: Hashable {
    /// Compares the kinds.
    public static func == (one: Self, other: Self) -> Bool { one.kind == other.kind }

    /// Hashes the kind.
    public func hash(into hasher: inout Hasher) { hasher.combine(kind) }
}

/// A setting of one transport alone: `node.transport.NAME` in the file, `-NAME` with dashes in place of underscores as a
/// flag. It is an error with another transport.
public struct TransportOption: Sendable {
    /// What the setting accepts.
    public enum Form: Sendable {
        /// `host:port`, port 0 for any free one; another address than the node's own. The plugin gets it resolved.
        case address
        /// A text that `accepts` takes; `expectation` completes "expected …" for one that it does not take.
        case text(expectation: String, accepts: @Sendable (String) -> Bool)
    }

    /// The key in the file: lower-case ASCII letters and underscores. Unique among the transports of a program.
    public let name: String
    /// What it accepts.
    public let form: Form
    /// One line of the program's help, with the default.
    public let help: String

    /// A setting that need not be given.
    public init(_ name: String, _ form: Form, help: String) {
        self.name = name
        self.form = form
        self.help = help
    }
}

/// What a transport is told when it is made. All of it has passed the checks of the configuration.
public struct TransportSettings: Sendable {
    /// Where to bind. Port 0 takes any free one.
    public var bindAddress: PeerAddress
    /// The cluster's key; `nil` speaks in clear.
    public var key: ClusterKey?
    /// The plugin's own settings of the form `address`, by name; those that were given.
    public var addresses: [String: PeerAddress]
    /// The plugin's own settings of the form `text`, by name; those that were given.
    public var texts: [String: String]
    /// Finds the end of the first message in a stream of bytes of the membership channel. Only for a transport that puts
    /// no lengths of its own in front of them.
    public var membershipStreamEnd: StreamFraming.Finder

    /// Settings for a node at `bindAddress`.
    public init(
        bindAddress: PeerAddress, key: ClusterKey? = nil, addresses: [String: PeerAddress] = [:],
        texts: [String: String] = [:], membershipStreamEnd: @escaping StreamFraming.Finder = { _ in .invalid }
    ) {
        self.bindAddress = bindAddress
        self.key = key
        self.addresses = addresses
        self.texts = texts
        self.membershipStreamEnd = membershipStreamEnd
    }
}
