internal import Cluster
internal import Foundation
internal import Transport

/// One exchange between the driver and the task that carries it out: the steps that wait, and the way to end it early.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class ExchangeLink: @unchecked Sendable {
    private let lock = NSLock()
    /// The core gives the next step only after it has heard of the last one.
    private let steps = BatchQueue<ExchangeStep>(maxCount: 4)
    private var exchange: (any Exchange)?
    private var isAbandoned = false

    /// The dial succeeded, or a peer opened the exchange.
    func attach(_ exchange: any Exchange) {
        let isAbandoned = lock.withLock {
            self.exchange = exchange
            return self.isAbandoned
        }
        if isAbandoned { exchange.close() }
    }

    func follow(_ step: ExchangeStep) { steps.append([step]) }

    /// `nil` when the exchange was abandoned, or the calling task is cancelled.
    func nextStep() async -> ExchangeStep? { await steps.next(limit: 1)?.first }

    /// Ends the exchange, whatever waits on it.
    func abandon() {
        let exchange = lock.withLock {
            isAbandoned = true
            return self.exchange
        }
        steps.finish()
        exchange?.close()
    }
}
