internal import class Foundation.NSLock

/// One node of an `InMemoryNetwork`.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
public final class InMemoryTransport: Transport, @unchecked Sendable {
    /// Always `memory`.
    public let kind = "memory"
    /// The made-up address of this node.
    public let boundAddress: PeerAddress
    /// As configured.
    public let maxMessageBytes: Int
    /// As configured; the smaller of both ends counts.
    public let maxExchangeMessageBytes: Int
    /// Refusals once per address; drops five times a second.
    public let events = BatchQueue<TransportEvent>(maxCount: 1_024)

    private let network: InMemoryNetwork
    private let configuration: InMemoryConfiguration
    private let arrivalQueues: [BatchQueue<Arrival>]
    private let exchangeQueues: [BatchQueue<any Exchange>]
    private let lock = NSLock()
    private var peers: [Peer] = []
    private var isFinished = false
    private var accepted = 0
    private var openPipes: [ObjectIdentifier: InMemoryPipe] = [:]
    private var reported: Set<PeerAddress> = []
    private var drops: [DropCause: Int] = [:]
    /// Without the queues.
    private var counted = TransportStats()

    init(network: InMemoryNetwork, address: PeerAddress, configuration: InMemoryConfiguration) {
        self.network = network
        self.configuration = configuration
        boundAddress = address
        maxMessageBytes = configuration.maxMessageBytes
        maxExchangeMessageBytes = configuration.maxExchangeMessageBytes
        arrivalQueues = Channel.allCases.map { _ in
            BatchQueue(maxBytes: configuration.maxArrivalBytes, maxCount: 1 << 20) { $0.message.count + 64 }
        }
        exchangeQueues = Channel.allCases.map { _ in BatchQueue(maxCount: configuration.maxExchanges) }
    }

    /// See `Transport`. The message is in the queue of the peer, or lost, when this returns.
    public func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        let understands = lock.withLock { peers.first { $0.address == peer }?.channels.has(channel) ?? true }
        guard understands else { return drop(.unsupported) }
        hand(message, on: channel, to: peer, delivery: .unicast)
    }

    /// See `Transport`. Every peer is reached directly; nothing is repeated.
    public func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        let targets = lock.withLock { peers.filter { $0.channels.has(channel) } }
        // As over UDP, where memberlist's own messages say nothing about how they were spread.
        let delivery: Arrival.Delivery = channel == .membership ? .unicast : .broadcast(reachedEveryone: true)
        guard message.count <= maxMessageBytes else { return drop(.tooLarge) }
        for peer in targets where !options.skipping.contains(peer.address) {
            hand(message, on: channel, to: peer.address, delivery: delivery)
        }
    }

    /// See `Transport`. A silent address is waited for as long as configured.
    public func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        guard !lock.withLock({ isFinished }) else { throw .closed }
        switch network.target(peer) {
        case .nobody: throw .refused
        case .silent:
            // A cancelled sleep ends early, which is what cancelling the attempt should do.
            try? await Task.sleep(for: configuration.answerTimeout)
            throw Task.isCancelled ? .closed : .noAnswer
        case .node(let other):
            let (ours, theirs) = InMemoryExchange.pair(
                between: boundAddress, and: peer, windowBytes: configuration.exchangeWindowBytes,
                maxMessageBytes: min(maxExchangeMessageBytes, other.maxExchangeMessageBytes))
            try other.accept(theirs, on: channel, from: boundAddress, key: configuration.key)
            track(ours.pipe)
            return ours
        }
    }

    /// See `Transport`.
    public func arrivals(on channel: Channel) -> BatchQueue<Arrival> { arrivalQueues[Int(channel.rawValue)] }

    /// See `Transport`.
    public func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { exchangeQueues[Int(channel.rawValue)] }

    /// See `Transport`. A message is sent and received in one step, so that nothing waits to be sent.
    public var stats: TransportStats {
        var stats = lock.withLock {
            var stats = counted
            stats.openExchanges = openPipes.count
            return stats
        }
        for channel in Channel.allCases {
            let (messages, bytes) = arrivalQueues[Int(channel.rawValue)].waiting
            stats[channel].receiveQueue = .init(messages: messages, bytes: bytes)
        }
        return stats
    }

    /// See `Transport`.
    public func setPeers(_ peers: [Peer]) { lock.withLock { self.peers = peers } }

    /// See `Transport`. Messages arrive before it too, but the address is given back by it only.
    public func run() async throws(TransportError) {
        // Real plugins report drops when they happen, at most once a second; here a tick is good enough.
        while (try? await Task.sleep(for: .milliseconds(200))) != nil { reportDrops() }
        network.unbind(boundAddress)
        let pipes = lock.withLock {
            isFinished = true
            return Array(openPipes.values)
        }
        for pipe in pipes { pipe.end() }
        reportDrops()
        for queue in arrivalQueues { queue.finish() }
        for queue in exchangeQueues {
            queue.finish()
            _ = queue.takeNow()
        }
        events.finish()
    }
}

// MARK: The receiving side

extension InMemoryTransport {
    private func hand(_ message: [UInt8], on channel: Channel, to peer: PeerAddress, delivery: Arrival.Delivery) {
        guard message.count <= maxMessageBytes else { return drop(.tooLarge) }
        let isOver = lock.withLock {
            if !isFinished { counted[channel].sent.add(bytes: message.count) }
            return isFinished
        }
        guard !isOver, !network.losesNext(), case .node(let other) = network.target(peer)
        else { return }
        let arrival = Arrival(message: message, sender: boundAddress, delivery: delivery)
        other.deliver(arrival, on: channel, key: configuration.key)
    }

    private func deliver(_ arrival: Arrival, on channel: Channel, key: [UInt8]?) {
        if let (refusal, cause) = refusal(of: key) {
            drop(cause)
            refuse(refusal, arrival.sender)
            return
        }
        lock.withLock { counted[channel].received.add(bytes: arrival.message.count) }
        let lost = arrivalQueues[Int(channel.rawValue)].append(CollectionOfOne(arrival))
        if lost > 0 { drop(.receiveQueueFull, count: lost) }
    }

    private func accept(
        _ exchange: InMemoryExchange, on channel: Channel, from peer: PeerAddress, key: [UInt8]?
    ) throws(ExchangeError) {
        if let (refusal, _) = refusal(of: key) {
            refuse(refusal, peer)
            throw .otherKey
        }
        let isAdmitted = lock.withLock {
            guard !isFinished, accepted < configuration.maxExchanges else { return false }
            accepted += 1
            return true
        }
        guard isAdmitted else {
            refuse(.tooManyExchanges, peer)
            throw .closed
        }
        exchange.pipe.onEnd { [weak self] in self?.release() }
        track(exchange.pipe)
        exchangeQueues[Int(channel.rawValue)].append(CollectionOfOne(exchange as any Exchange))
    }

    private func release() { lock.withLock { accepted -= 1 } }

    private func track(_ pipe: InMemoryPipe) {
        let id = ObjectIdentifier(pipe)
        lock.withLock { openPipes[id] = pipe }
        pipe.onEnd { [weak self] in self?.forget(id) }
    }

    private func forget(_ id: ObjectIdentifier) { lock.withLock { _ = openPipes.removeValue(forKey: id) } }

    private func refusal(of key: [UInt8]?) -> (Refusal, DropCause)? {
        if key == configuration.key { return nil }
        if key == nil { return (.clearText, .clearText) }
        return (configuration.key == nil ? .sealed : .otherKey, .otherKey)
    }

    /// Once per address; the drops are counted all the same.
    private func refuse(_ refusal: Refusal, _ address: PeerAddress) {
        let isNews = lock.withLock {
            counted.refusals[refusal, default: 0] += 1
            return reported.count < 256 && reported.insert(address).inserted
        }
        if isNews { events.append(CollectionOfOne(.refused(refusal, address))) }
    }

    private func drop(_ cause: DropCause, count: Int = 1) {
        lock.withLock {
            drops[cause, default: 0] += count
            counted.drops[cause, default: 0] += count
        }
    }

    private func reportDrops() {
        let events: [TransportEvent] = lock.withLock {
            defer { drops = [:] }
            return DropCause.allCases.compactMap { cause in drops[cause].map { .dropped(cause, count: $0) } }
        }
        self.events.append(events)
    }
}
