import Transport
import TransportKit

/// The side of the owner thread that other tasks see: what they want done, what arrives, and figures.
final class ZMQPort: Sendable {
    let configuration: ZMQTransportConfiguration
    let inlets: Inlets
    let orders: ZMQOrders
    let figures = ZMQFigures()

    /// Throws `failed` when the system is out of descriptors.
    init(_ configuration: ZMQTransportConfiguration) throws(TransportError) {
        self.configuration = configuration
        let arrivalBytes = PerChannel(
            membership: configuration.maxMembershipArrivalBytes, replication: configuration.maxReplicationArrivalBytes)
        // Open exchanges are bounded; some more may be over already and wait to be noticed.
        inlets = Inlets(maxArrivalBytes: arrivalBytes, maxExchanges: 8 * configuration.maxExchanges)
        orders = try ZMQOrders(maxWaitingBytes: configuration.maxWaitingBytes)
    }

    /// A message that does not get as far as the thread.
    func drop(_ cause: DropCause) {
        inlets.events.dropped(cause)
        orders.wake()
    }

    /// See `Transport.exchange`.
    func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        let pipe = ExchangeStream.makePipe(isOpen: false, owner: orders)
        guard figures.takePlace(limit: configuration.maxExchanges) else { throw .busy }
        let exchange = PipeExchange(peer: peer, pipe: pipe) { [figures] in figures.releasePlace() }
        guard orders.open(pipe, on: channel, with: peer) else { throw .closed }
        try await pipe.waitUntilOpen()
        return exchange
    }

    /// What was moved and what waits, here and with the thread.
    var stats: TransportStats {
        var stats = figures.stats
        for channel in Channel.allCases {
            let wanted = orders.waiting(on: channel)
            stats[channel].sendQueue.messages += wanted.messages
            stats[channel].sendQueue.bytes += wanted.bytes
        }
        inlets.complete(&stats)
        return stats
    }

    /// Runs the loop on a thread of its own until the calling task is cancelled or something fails for good. Returns when
    /// the thread is gone.
    func run(_ loop: ZMQLoop) async throws(TransportError) {
        let handed = HandedOver(loop: loop)
        let result = await withTaskCancellationHandler {
            await runThread(handed)
        } onCancel: {
            orders.stop()
        }
        inlets.events.dropped(.sendQueueFull, count: orders.finish())
        figures.publish(acceptedExchanges: 0)
        inlets.finish()
        try result.get()
    }

    private func runThread(_ handed: HandedOver) async -> Result<Void, TransportError> {
        do throws(TransportError) {
            return try await OwnerThread.run { handed.loop.run() }
        } catch {
            handed.loop.close()
            return .failure(error)
        }
    }

    /// `@unchecked Sendable`: made before its thread, and then that thread's alone.
    private struct HandedOver: @unchecked Sendable {
        let loop: ZMQLoop
    }
}
