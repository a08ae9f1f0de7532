internal import Foundation
internal import Logging
internal import Transport

/// `RepeatedLog` for many tasks at once: requests that fail alike are one line, and then counted.
///
/// `@unchecked Sendable`: the state is touched under `lock` only.
final class FailureLog: @unchecked Sendable {
    private let lock = NSLock()
    private let clock = EngineClock()
    private let logger: Logger
    private var repeated = RepeatedLog(interval: .seconds(60))

    init(logger: Logger) { self.logger = logger }

    func note(_ error: any Error, operation: String) {
        let reason = "\(error)"
        guard let repeats = lock.withLock({ repeated.note("\(operation) \(reason)", at: clock.now) }) else { return }
        logger.log(.error, "Requests fail", [.operation: operation, .reason: reason, .repeats: repeats])
    }
}
