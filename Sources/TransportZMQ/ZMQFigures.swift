internal import class Foundation.NSLock
import Transport
import TransportKit

/// What the owner thread has told of itself, and the exchanges that this node has open.
///
/// `@unchecked Sendable`: the state is touched under `lock` only.
final class ZMQFigures: @unchecked Sendable {
    private let lock = NSLock()
    private var traffic = PerChannel(repeating: TransportStats.OfChannel())
    private var acceptedExchanges = 0
    private var dialledExchanges = 0

    /// Called by the thread when it has moved something.
    func publish(_ stats: TransportStats.OfChannel, on channel: Channel) {
        lock.withLock { traffic[channel] = stats }
    }

    /// Called by the thread when exchanges of peers have come or gone.
    func publish(acceptedExchanges count: Int) { lock.withLock { acceptedExchanges = count } }

    /// Takes a place for an exchange that this node opens; `false` when all are taken.
    func takePlace(limit: Int) -> Bool {
        lock.withLock {
            guard dialledExchanges < limit else { return false }
            dialledExchanges += 1
            return true
        }
    }

    /// Gives a place back.
    func releasePlace() { lock.withLock { dialledExchanges -= 1 } }

    /// Everything so far.
    var stats: TransportStats {
        lock.withLock {
            var stats = TransportStats()
            stats.openExchanges = dialledExchanges + acceptedExchanges
            for channel in Channel.allCases { stats[channel] = traffic[channel] }
            return stats
        }
    }
}
