internal import class Foundation.NSLock
public import Transport
internal import TransportKit

/// One node of an `InMemoryNetwork`: the plainest plugin, which keeps every promise of `Transport`.
///
/// There is no wire, so that what a real plugin does on a thread of its own happens at once in the caller's task: `send`
/// ends in the other node's queue. `docs/writing-a-transport.md` goes through this file.
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

    /// Time between two looks at whether there are drops to report.
    private static let tick: Duration = .milliseconds(200)

    private struct State {
        var peers: [PeerAddress: Channels] = [:]
        var isFinished = false
        /// Without the queues.
        var moved = TransportStats()
        var accepted = 0
        /// Of either side's making.
        var wires: [ObjectIdentifier: InMemoryWire] = [:]
    }

    private let network: InMemoryNetwork
    private let configuration: InMemoryConfiguration
    private let inlets: Inlets
    private let lock = NSLock()
    private var state = State()

    init(network: InMemoryNetwork, address: PeerAddress, configuration: InMemoryConfiguration) {
        self.network = network
        self.configuration = configuration
        boundAddress = address
        maxMessageBytes = configuration.maxMessageBytes
        maxExchangeMessageBytes = configuration.maxExchangeMessageBytes
        inlets = Inlets(
            maxArrivalBytes: PerChannel(repeating: configuration.maxArrivalBytes),
            maxExchanges: configuration.maxExchanges)
    }

    /// See `Transport`.
    public var events: BatchQueue<TransportEvent> { inlets.events.queue }
    /// See `Transport`.
    public func arrivals(on channel: Channel) -> BatchQueue<Arrival> { inlets.arrivals[channel] }
    /// See `Transport`.
    public func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { inlets.exchanges[channel] }

    /// See `Transport`. A message is sent and received in one step, so that nothing waits to be sent.
    public var stats: TransportStats {
        var stats = locked { state in
            state.moved.openExchanges = state.wires.count
            return state.moved
        }
        inlets.complete(&stats)
        return stats
    }

    /// See `Transport`.
    public func setPeers(_ peers: [Peer]) {
        locked { $0.peers = Dictionary(peers.map { ($0.address, $0.channels) }) { $0.union($1) } }
    }

    /// See `Transport`. The message is in the queue of the peer, or lost, when this returns.
    public func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        guard message.count <= maxMessageBytes else { return drop(.tooLarge) }
        guard locked({ $0.peers[peer]?.has(channel) ?? true }) else { return drop(.unsupported) }
        hand(message, on: channel, to: peer, delivery: .unicast)
    }

    /// See `Transport`. Every peer is reached directly; nothing is repeated.
    public func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        guard message.count <= maxMessageBytes else { return drop(.tooLarge) }
        // As over UDP, where memberlist's own messages say nothing about how they were spread.
        let delivery: Arrival.Delivery = channel == .membership ? .unicast : .broadcast(reachedEveryone: true)
        let targets = locked { $0.peers.filter { $0.value.has(channel) }.keys }
        for peer in targets where !options.skipping.contains(peer) {
            hand(message, on: channel, to: peer, delivery: delivery)
        }
    }

    /// See `Transport`. A silent address is waited for as long as configured.
    public func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        guard !locked(\.isFinished) else { throw .closed }
        switch network.target(peer) {
        case .nobody: throw .refused
        case .silent:
            // A cancelled sleep ends early, which is what cancelling the attempt should do.
            try? await Task.sleep(for: configuration.answerTimeout)
            throw Task.isCancelled ? .closed : .noAnswer
        case .node(let other):
            let wire = InMemoryWire(
                windowBytes: configuration.exchangeWindowBytes,
                maxMessageBytes: min(maxExchangeMessageBytes, other.maxExchangeMessageBytes))
            do throws(ExchangeError) {
                try track(wire)
                try other.accept(wire, on: channel, from: boundAddress, key: configuration.key)
            } catch {
                wire.tear()
                throw error
            }
            return wire.diallerHandle(peer: peer)
        }
    }

    /// See `Transport`. Messages arrive before it too, but the address is given back by it only.
    public func run() async throws(TransportError) {
        while (try? await Task.sleep(for: Self.tick)) != nil { inlets.events.report() }
        network.unbind(boundAddress)
        let wires = locked { state in
            state.isFinished = true
            return Array(state.wires.values)
        }
        for wire in wires { wire.tear() }
        inlets.finish()
    }

    private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(&state)
    }

    private func drop(_ cause: DropCause) { inlets.events.dropped(cause) }
}

// MARK: The receiving side

extension InMemoryTransport {
    private func hand(_ message: [UInt8], on channel: Channel, to peer: PeerAddress, delivery: Arrival.Delivery) {
        let isOver = locked { state in
            if !state.isFinished { state.moved[channel].sent.add(bytes: message.count) }
            return state.isFinished
        }
        guard !isOver, case .node(let other) = network.target(peer) else { return }
        let arrival = Arrival(message: message, sender: boundAddress, delivery: delivery)
        other.take(arrival, on: channel, key: configuration.key)
    }

    private func take(_ arrival: Arrival, on channel: Channel, key: [UInt8]?) {
        if let (refusal, cause) = refusal(of: key) {
            drop(cause)
            return inlets.events.refused(refusal, arrival.sender)
        }
        locked { $0.moved[channel].received.add(bytes: arrival.message.count) }
        inlets.deliver(CollectionOfOne(arrival), on: channel)
    }

    private func accept(
        _ wire: InMemoryWire, on channel: Channel, from peer: PeerAddress, key: [UInt8]?
    ) throws(ExchangeError) {
        if let (refusal, _) = refusal(of: key) {
            inlets.events.refused(refusal, peer)
            throw .otherKey
        }
        let isAdmitted = locked { state in
            guard !state.isFinished, state.accepted < configuration.maxExchanges else { return false }
            state.accepted += 1
            return true
        }
        guard isAdmitted else {
            inlets.events.refused(.tooManyExchanges, peer)
            throw .closed
        }
        wire.onEnd { [weak self] in self?.locked { $0.accepted -= 1 } }
        try track(wire)
        inlets.deliver(wire.acceptorHandle(peer: peer), on: channel)
    }

    private func track(_ wire: InMemoryWire) throws(ExchangeError) {
        let id = ObjectIdentifier(wire)
        let isTooLate = locked { state in
            if !state.isFinished { state.wires[id] = wire }
            return state.isFinished
        }
        if isTooLate { throw .closed }
        wire.onEnd { [weak self] in self?.locked { $0.wires[id] = nil } }
    }

    private func refusal(of key: [UInt8]?) -> (Refusal, DropCause)? {
        if key == configuration.key { return nil }
        if key == nil { return (.clearText, .clearText) }
        return (configuration.key == nil ? .sealed : .otherKey, .otherKey)
    }
}
