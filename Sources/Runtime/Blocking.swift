/// Runs what blocks outside of the cooperative pool.
package enum Blocking {
    /// On a thread of its own, which ends with `body`. Throws what `body` does, or `SystemThread.Refused`.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await SystemThread.run("blocking") { Result { try body() } }.get()
    }
}
