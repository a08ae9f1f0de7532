/// What a plugin has moved and dropped since its start, and what waits in it now. The same for every plugin.
public struct TransportStats: Hashable, Sendable {
    /// Some messages.
    public struct Traffic: Hashable, Sendable {
        /// How many.
        public var messages = 0
        /// Their bytes, as they were handed to `send` and `broadcast`: without what the plugin adds.
        public var bytes = 0

        /// So many.
        public init(messages: Int = 0, bytes: Int = 0) {
            self.messages = messages
            self.bytes = bytes
        }

        /// One message more.
        public mutating func add(bytes: Int) {
            messages += 1
            self.bytes += bytes
        }
    }

    /// What concerns one channel. Exchanges are not in it.
    public struct OfChannel: Hashable, Sendable {
        /// Handed to the network: a broadcast once for each peer that it goes to, and again where the plugin repeats it.
        public var sent = Traffic()
        /// Taken from the network, those included that found the queue towards the consumer full.
        public var received = Traffic()
        /// Waiting now to be handed to the network. A plugin may count more than the messages' bytes: what it bounds.
        public var sendQueue = Traffic()
        /// Waiting now for the consumer of `arrivals(on:)`, with 64 bytes added for each.
        public var receiveQueue = Traffic()

        /// With nothing moved.
        public init() {}
    }

    /// Of probes and members.
    public var membership = OfChannel()
    /// Of changes.
    public var replication = OfChannel()
    /// Messages that went nowhere: the sum of all `TransportEvent.dropped`, and what they have yet to report.
    public var drops: [DropCause: Int] = [:]
    /// How often something was turned away: those too that `TransportEvent.refused` leaves out.
    public var refusals: [Refusal: Int] = [:]
    /// Exchanges open now, of both sides' making, and those that are being opened or closed.
    public var openExchanges = 0

    /// With nothing moved.
    public init() {}

    /// What concerns `channel`.
    public subscript(channel: Channel) -> OfChannel {
        get {
            switch channel {
            case .membership: membership
            case .replication: replication
            }
        }
        set {
            switch channel {
            case .membership: membership = newValue
            case .replication: replication = newValue
            }
        }
    }
}
