public import Transport

/// What a plugin hands to its users: arrivals and exchanges by channel, and events; and how all that ends.
public final class Inlets: Sendable {
    /// What a waiting message counts besides its bytes.
    public static let arrivalOverheadBytes = 64
    /// Most messages that wait, however small.
    public static let maxArrivals = 1 << 20

    /// What `Transport.arrivals(on:)` gives.
    public let arrivals: PerChannel<BatchQueue<Arrival>>
    /// What `Transport.exchanges(on:)` gives. Open exchanges are bounded, so that these queues never overflow.
    public let exchanges: PerChannel<BatchQueue<any Exchange>>
    /// Gathers what `Transport.events` gives.
    public let events = EventSink()

    /// `maxArrivalBytes` bounds what waits of messages, 64 bytes added for each; `maxExchanges` is the plugin's bound on
    /// exchanges that others open.
    public init(maxArrivalBytes: PerChannel<Int>, maxExchanges: Int) {
        arrivals = maxArrivalBytes.map {
            BatchQueue(maxBytes: $0, maxCount: Self.maxArrivals) { $0.message.count + Self.arrivalOverheadBytes }
        }
        exchanges = PerChannel { _ in BatchQueue(maxCount: maxExchanges) }
    }

    /// Hands messages over; counts those that were dropped for room. Best one call for all that one read has brought.
    public func deliver(_ batch: some Collection<Arrival>, on channel: Channel) {
        let lost = arrivals[channel].append(batch).count
        if lost > 0 { events.dropped(.receiveQueueFull, count: lost) }
    }

    /// Hands an exchange over that a peer has opened. Hold no lock: what finds no room, or comes after the end, is closed.
    public func deliver(_ exchange: any Exchange, on channel: Channel) {
        exchanges[channel].append(CollectionOfOne(exchange))
    }

    /// Adds what the queues and the events know to `stats`.
    public func complete(_ stats: inout TransportStats) {
        for channel in Channel.allCases {
            let waiting = arrivals[channel].waiting
            stats[channel].receiveQueue = .init(messages: waiting.count, bytes: waiting.bytes)
        }
        (stats.drops, stats.refusals) = events.totals
    }

    /// The last thing that `run` does: reports what is left, finishes every queue and closes the exchanges that nobody
    /// took. Messages that wait can still be taken.
    public func finish() {
        events.report(isLast: true)
        for queue in arrivals.all { queue.finish() }
        for queue in exchanges.all {
            queue.finish()
            for exchange in queue.takeNow() { exchange.close() }
        }
        events.queue.finish()
    }
}
