/// Moves opaque messages between peers; knows nothing of membership or replication.
///
/// `send` and `broadcast` are best effort: a message may be lost, doubled or reordered, never altered. `exchange` is
/// reliable, ordered and flow-controlled. Everything a plugin holds has a bound, stated where it is set; past the bound
/// the oldest message is dropped and counted in `events`.
///
/// The two channels have queues and budgets of their own, so that neither starves the other.
public protocol Transport: Sendable {
    /// What the configuration calls this plugin: `udp`, `zmq`.
    var kind: String { get }

    /// The address that the plugin is bound to, with the port the system chose where the configuration said 0.
    var boundAddress: PeerAddress { get }

    /// Largest message that `send` and `broadcast` take, in bytes. A larger one is dropped and counted; send it by
    /// `exchange`.
    var maxMessageBytes: Int { get }

    /// Largest message that one `Exchange.send` takes, in bytes.
    var maxExchangeMessageBytes: Int { get }

    /// Hands `message` to the network for one peer, which need not be one of `setPeers`. Returning says nothing about
    /// receipt. Never waits.
    func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress)

    /// Hands `message` to the network for every peer of the last `setPeers` that understands `channel`. Never waits.
    func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions)

    /// Opens a reliable, ordered, two-way stream of messages with `peer`.
    ///
    /// Waits until the peer's transport has accepted and, where there is a key, has proved that it holds the same one. The
    /// time that an attempt waits for `run` does not count for the plugin's deadline. Cancelling the calling task ends it.
    func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange

    /// Messages of `channel` as they arrive. One consumer; bounded by bytes, the oldest are dropped first.
    func arrivals(on channel: Channel) -> BatchQueue<Arrival>

    /// Exchanges of `channel` that peers opened. One consumer; past the bound a new one is turned away.
    func exchanges(on channel: Channel) -> BatchQueue<any Exchange>

    /// What happened inside the plugin. One consumer.
    var events: BatchQueue<TransportEvent> { get }

    /// What was moved and dropped since the start, and what waits now. Cheap and never waits, whether or not `run` runs; what
    /// a thread of the plugin is just doing may show a moment later.
    var stats: TransportStats { get }

    /// Who `broadcast` reaches. Replaces the earlier list; the node itself is not in it.
    func setPeers(_ peers: [Peer])

    /// Moves messages until cancelled. What was handed over before the cancellation is still sent where the network
    /// takes it at once; every socket and thread is gone, and every queue is finished, before it returns.
    func run() async throws(TransportError)
}

/// What a message is about. Each has its own queues.
public enum Channel: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case membership = 0
    case replication = 1

    /// What logs call the channel.
    public var description: String { self == .membership ? "membership" : "replication" }
}

/// Some of the channels.
public struct Channels: OptionSet, Hashable, Sendable {
    /// A bit per channel, by its number.
    public let rawValue: UInt8

    /// From a bit per channel.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// One alone.
    public init(_ channel: Channel) { rawValue = 1 << channel.rawValue }

    /// That of members and probes.
    public static let membership = Channels(.membership as Channel)
    /// That of changes.
    public static let replication = Channels(.replication as Channel)
    /// Both.
    public static let all: Channels = [.membership, .replication]

    /// Whether `channel` is among them.
    public func has(_ channel: Channel) -> Bool { contains(Channels(channel)) }
}

/// One peer that `broadcast` reaches.
public struct Peer: Hashable, Sendable {
    /// Where it is reached.
    public var address: PeerAddress
    /// The channels whose messages this peer understands; nothing of another channel is sent to it.
    public var channels: Channels

    /// A peer that understands all channels unless told otherwise.
    public init(address: PeerAddress, channels: Channels = .all) {
        self.address = address
        self.channels = channels
    }
}

/// How a broadcast is to be treated.
public struct BroadcastOptions: Hashable, Sendable {
    /// A queued message with the same key on the same channel may be dropped in favour of this one: news about one member
    /// makes older news about that member pointless.
    public var replacing: String?
    /// Addresses that have the message already: who sent it to us, and where it began.
    public var skipping: [PeerAddress]
    /// `false`: sent once and forgotten, for what the next message makes stale (heartbeats).
    public var isRepeated: Bool

    /// A broadcast to everyone, repeated as the plugin sees fit.
    public init(replacing: String? = nil, skipping: [PeerAddress] = [], isRepeated: Bool = true) {
        self.replacing = replacing
        self.skipping = skipping
        self.isRepeated = isRepeated
    }
}

/// One message as it came from the network.
public struct Arrival: Hashable, Sendable {
    /// How it was sent.
    public enum Delivery: Hashable, Sendable {
        case unicast
        /// `reachedEveryone`: the sender handed it to every peer itself, or to a queue towards it, so that nobody needs to
        /// pass it on.
        case broadcast(reachedEveryone: Bool)
    }

    /// What was sent, as it was handed over there.
    public var message: [UInt8]
    /// The address it came from: the one the sender is bound to.
    public var sender: PeerAddress
    /// How it was sent.
    public var delivery: Delivery

    /// One arrival; plugins make them.
    public init(message: [UInt8], sender: PeerAddress, delivery: Delivery) {
        self.message = message
        self.sender = sender
        self.delivery = delivery
    }
}
