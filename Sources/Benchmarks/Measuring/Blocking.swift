internal import class Foundation.Thread

/// Runs what blocks on a thread of its own, which ends with it.
enum Blocking {
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try body() }) }
            thread.name = "bench"
            thread.start()
        }
    }
}
