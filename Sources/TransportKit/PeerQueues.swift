public import Transport

/// The peers of a plugin and the messages that wait for each: what `setPeers`, `send` and `broadcast` do where a plugin hands
/// each peer its own copy. A value that the plugin keeps under its lock.
public struct PeerQueues: Sendable {
    /// What came of a message.
    public struct Outcome: Sendable {
        /// Peers for which nothing waited before: whoever sends has to be told.
        public internal(set) var waking: [PeerAddress] = []
        /// What was dropped, to be counted.
        public internal(set) var drops: [DropCause: Int] = [:]
    }

    private let maxPeers: Int
    private let maxMessageBytes: Int
    private let emptyQueue: SendQueue
    private var channels: [PeerAddress: Channels] = [:]
    private var queues: [PeerAddress: SendQueue] = [:]
    private var sent = PerChannel(repeating: TransportStats.Traffic())

    /// Messages up to `maxMessageBytes`; they wait for `maxPeers` peers at a time, `maxBytes` for each on each channel, with 64
    /// more for each message.
    public init(maxPeers: Int, maxMessageBytes: Int, maxBytes: PerChannel<Int>) {
        (self.maxPeers, self.maxMessageBytes) = (maxPeers, maxMessageBytes)
        emptyQueue = SendQueue(maxBytes: maxBytes)
    }

    /// See `Transport.setPeers`.
    public mutating func setPeers(_ peers: [Peer]) {
        channels = Dictionary(peers.map { ($0.address, $0.channels) }) { $0.union($1) }
    }

    /// See `Transport.send`.
    public mutating func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) -> Outcome {
        guard channels[peer]?.has(channel) ?? true else { return Outcome(drops: [.unsupported: 1]) }
        return append(.init(message, on: channel, delivery: .unicast), to: CollectionOfOne(peer), replacing: nil)
    }

    /// See `Transport.broadcast`. The message reaches every peer.
    public mutating func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) -> Outcome {
        let peers = channels.filter { $0.value.has(channel) && !options.skipping.contains($0.key) }.keys
        let message = SendQueue.Message(message, on: channel, delivery: .broadcast(reachedEveryone: true))
        return append(message, to: peers, replacing: options.replacing)
    }

    private mutating func append(
        _ message: SendQueue.Message, to peers: some Collection<PeerAddress>, replacing key: String?
    ) -> Outcome {
        guard message.bytes.count <= maxMessageBytes else { return Outcome(drops: [.tooLarge: 1]) }
        var outcome = Outcome()
        for peer in peers {
            guard queues[peer] != nil || queues.count < maxPeers else {
                outcome.drops[.unreachable, default: 0] += 1
                continue
            }
            if queues[peer]?.isEmpty ?? true { outcome.waking.append(peer) }
            let lost = queues[peer, default: emptyQueue].append(message, replacing: key)
            if lost > 0 { outcome.drops[.sendQueueFull, default: 0] += lost }
        }
        return outcome
    }

    /// Takes messages for `peer`, which then count as sent: none, or one and then no more once `maxBytes` are reached.
    public mutating func take(for peer: PeerAddress, maxBytes: Int) -> [SendQueue.Message] {
        var (messages, bytes): ([SendQueue.Message], Int) = ([], 0)
        while bytes < maxBytes, let message = queues[peer]?.popFirst() {
            messages.append(message)
            bytes += message.bytes.count
            sent[message.channel].add(bytes: message.bytes.count)
        }
        return messages
    }

    /// Drops what waits for `peer`, and forgets it: how many messages, to be counted as `unreachable`.
    public mutating func giveUp(_ peer: PeerAddress) -> Int {
        var queue = queues.removeValue(forKey: peer)
        return queue?.removeAll() ?? 0
    }

    /// Drops what waits for anybody.
    public mutating func giveUpAll() -> Int {
        queues.keys.map { $0 }.reduce(0) { $0 + giveUp($1) }
    }

    /// Adds what waits and what was sent to `stats`.
    public func complete(_ stats: inout TransportStats) {
        for channel in Channel.allCases {
            let waiting = queues.values.map { $0.waiting(on: channel) }
            stats[channel].sent = sent[channel]
            stats[channel].sendQueue = .init(
                messages: waiting.reduce(0) { $0 + $1.messages }, bytes: waiting.reduce(0) { $0 + $1.bytes })
        }
    }
}
