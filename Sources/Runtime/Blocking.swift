internal import class Foundation.Thread

/// Runs what blocks outside of the cooperative pool.
package enum Blocking {
    /// On a thread of its own, which ends with `body`.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try body() }) }
            thread.name = "blocking"
            thread.start()
        }
    }
}
