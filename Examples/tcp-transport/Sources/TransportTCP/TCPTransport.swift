import Foundation
import Keys
import Transport
import TransportKit

extension TransportPlugin {
    /// Plain TCP: `node.transport.kind: tcp`.
    public static let tcp = TransportPlugin(kind: "tcp") { settings throws(TransportError) in
        try TCPTransport(settings.bindAddress, key: settings.key)
    }
}

/// Plain TCP: a connection for each exchange, and one for the messages to each peer. Sockets belong to one thread (`TCPLoop`);
/// this is what callers see, and where they leave what the thread is to do.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
package final class TCPTransport: Transport, ExchangePipeOwner, @unchecked Sendable {
    package let kind = "tcp"
    package let boundAddress: PeerAddress
    package let maxMessageBytes = TCPWire.maxMessageBytes
    package let maxExchangeMessageBytes = TCPWire.streams.maxMessageBytes

    enum Order {
        case dial(ExchangePipe, PeerAddress, Channel)
        case hear(ExchangePipe.Signal, ExchangePipe)
        /// Messages wait, for the first time since all were taken.
        case serve(PeerAddress)
        case stop
    }

    struct State {
        var queues: PeerQueues
        var orders: [Order] = []
        var received = PerChannel(repeating: TransportStats.Traffic())
        /// Of both sides' making, and of this side's.
        var openExchanges = 0
        var dialled = 0
        var isFinished = false
    }

    let maxConnections: Int
    let dialTimeout: Duration
    let subkey: Subkey?
    let listener: StreamSocket
    let inlets: Inlets
    let wakeup: Wakeup
    private let lock = NSLock()
    private var state: State

    /// Binds and listens. `maxConnections` bounds each of: connections that peers make, from their first byte; exchanges
    /// that this node dials; peers that it sends messages to.
    package init(
        _ address: PeerAddress, key: ClusterKey?, maxArrivalBytes: Int = 16 << 20, maxConnections: Int = 512,
        dialTimeout: Duration = .seconds(5)
    ) throws(TransportError) {
        (listener, boundAddress) = try StreamSocket.listen(on: address)
        wakeup = try Wakeup()
        subkey = key?.subkey(for: ClusterKey.Purpose("tcp-strm"))
        inlets = Inlets(maxArrivalBytes: PerChannel(repeating: maxArrivalBytes), maxExchanges: maxConnections)
        (self.maxConnections, self.dialTimeout) = (maxConnections, dialTimeout)
        let queues = PeerQueues(
            maxPeers: maxConnections, maxMessageBytes: maxMessageBytes, maxBytes: PerChannel(repeating: 4 << 20))
        state = State(queues: queues)
    }

    package var events: BatchQueue<TransportEvent> { inlets.events.queue }
    package func arrivals(on channel: Channel) -> BatchQueue<Arrival> { inlets.arrivals[channel] }
    package func exchanges(on channel: Channel) -> BatchQueue<any Exchange> { inlets.exchanges[channel] }

    package var stats: TransportStats {
        var stats = TransportStats()
        locked { state in
            state.queues.complete(&stats)
            for channel in Channel.allCases { stats[channel].received = state.received[channel] }
            stats.openExchanges = state.openExchanges
        }
        inlets.complete(&stats)
        return stats
    }

    package func setPeers(_ peers: [Peer]) { locked { $0.queues.setPeers(peers) } }

    package func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        queue { $0.send(message, on: channel, to: peer) }
    }

    package func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        queue { $0.broadcast(message, on: channel, options: options) }
    }

    private func queue(_ add: (inout PeerQueues) -> PeerQueues.Outcome) {
        let drops: [DropCause: Int] = locked { state in
            if state.isFinished { return [:] }
            let outcome = add(&state.queues)
            state.orders += outcome.waking.map { .serve($0) }
            return outcome.drops
        }
        for (cause, count) in drops { drop(cause, count: count) }
        wakeup.signal()
    }

    package func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        let pipe = makePipe()
        let error: ExchangeError? = locked { state in
            if state.isFinished { return .closed }
            if state.dialled >= maxConnections { return .busy }
            (state.dialled, state.openExchanges) = (state.dialled + 1, state.openExchanges + 1)
            state.orders.append(.dial(pipe, peer, channel))
            return nil
        }
        if let error { throw error }
        wakeup.signal()
        let handle = PipeExchange(peer: peer, pipe: pipe)
        try await pipe.waitUntilOpen()
        return handle
    }

    package func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) { order(.hear(signal, pipe)) }

    package func run() async throws(TransportError) {
        let result: Result<Void, TransportError> = await withTaskCancellationHandler {
            do throws(TransportError) {
                return try await OwnerThread.run { TCPLoop.run(self) }
            } catch {
                return .failure(error)
            }
        } onCancel: {
            order(.stop)
        }
        for case .dial(let pipe, _, _) in takeOrders(isLast: true) { endDial(pipe, .closed) }
        drop(.unreachable, count: locked { $0.queues.giveUpAll() })
        inlets.finish()
        listener.close()
        wakeup.close()
        try result.get()
    }
}

// MARK: For the owner thread

extension TCPTransport {
    func locked<Value>(_ body: (inout State) -> Value) -> Value { lock.withLock { body(&state) } }

    func drop(_ cause: DropCause, count: Int = 1) {
        if inlets.events.dropped(cause, count: count) { wakeup.signal() }
    }

    private func order(_ order: Order) {
        locked { if !$0.isFinished { $0.orders.append(order) } }
        wakeup.signal()
    }

    func takeOrders(isLast: Bool = false) -> [Order] {
        locked { state in
            defer { (state.orders, state.isFinished) = ([], isLast) }
            return state.orders
        }
    }

    func makePipe() -> ExchangePipe { ExchangePipe(maxMessageBytes: maxExchangeMessageBytes, owner: self) }

    func deliver(_ batch: [Arrival], on channel: Channel) {
        if batch.isEmpty { return }
        locked { state in for one in batch { state.received[channel].add(bytes: one.message.count) } }
        inlets.deliver(batch, on: channel)
    }

    func takeMessages(for peer: PeerAddress, maxBytes: Int) -> [SendQueue.Message] {
        locked { $0.queues.take(for: peer, maxBytes: maxBytes) }
    }

    /// Nobody takes what waits for `peer`.
    func giveUp(_ peer: PeerAddress) { drop(.unreachable, count: locked { $0.queues.giveUp(peer) }) }

    func endDial(_ pipe: ExchangePipe, _ error: ExchangeError) {
        pipe.fail(error)
        locked { ($0.dialled, $0.openExchanges) = ($0.dialled - 1, $0.openExchanges - 1) }
    }
}
