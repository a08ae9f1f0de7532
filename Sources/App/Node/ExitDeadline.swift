internal import Dispatch
internal import Transport

/// Ends the process when a stop takes longer than it may, whatever its tasks are busy with: it needs none of their threads.
///
/// Nothing is lost by it: what was acknowledged is on disk, and the store reads its log when it is opened again.
///
/// `@unchecked Sendable`: what is not immutable is Dispatch's own.
final class ExitDeadline: @unchecked Sendable {
    private let sources: [any DispatchSourceSignal]

    /// `exit` runs once for each of `signals` that comes, `limit` after it, on a thread of its own.
    init(_ signals: [Int32], after limit: Duration, exit: @escaping @Sendable () -> Void) {
        // A queue without a target of its own has threads beyond those of the cooperative pool.
        let queue = DispatchQueue(label: "exit-deadline", qos: .userInitiated)
        let delay = DispatchTimeInterval.milliseconds(Int((limit.inSeconds * 1000).rounded()))
        sources = signals.map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { queue.asyncAfter(deadline: .now() + delay, execute: exit) }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
