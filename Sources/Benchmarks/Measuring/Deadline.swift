internal import class Foundation.NSLock

/// Something that a measurement waited for did not happen.
struct NotInTime: Error, CustomStringConvertible {
    var what: String
    var limit: Duration

    var description: String { "\(what) took more than \(limit)" }
}

/// What `body` gives. Where it takes longer than `limit`, or who waits is cancelled, it is cancelled and left behind, and
/// this throws `NotInTime` or `CancellationError`.
func within<Value: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let first = FirstOutcome<Value>()
    let work = Task { try await body() }
    Task { first.set(await work.result) }
    let alarm = Task {
        try await Task.sleep(for: limit)
        first.set(.failure(NotInTime(what: what, limit: limit)))
    }
    defer {
        work.cancel()
        alarm.cancel()
    }
    return try await withTaskCancellationHandler {
        try await first.value().get()
    } onCancel: {
        first.set(.failure(CancellationError()))
    }
}

/// The first of several outcomes.
///
/// `@unchecked Sendable`: the state is touched under `lock` only.
private final class FirstOutcome<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var outcome: Result<Value, any Error>?
    private var waiter: CheckedContinuation<Result<Value, any Error>, Never>?

    func set(_ result: Result<Value, any Error>) {
        let waiting = lock.withLock {
            if outcome != nil { return nil as CheckedContinuation<Result<Value, any Error>, Never>? }
            outcome = result
            defer { waiter = nil }
            return waiter
        }
        waiting?.resume(returning: result)
    }

    func value() async -> Result<Value, any Error> {
        await withCheckedContinuation { continuation in
            let ready = lock.withLock {
                if outcome == nil { waiter = continuation }
                return outcome
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }
}
