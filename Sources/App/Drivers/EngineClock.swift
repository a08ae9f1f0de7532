internal import Transport

/// The time that engines are given: it starts at zero with the process and never goes back.
struct EngineClock: Sendable {
    private let start = ContinuousClock.now

    var now: EngineInstant { .zero + (ContinuousClock.now - start) }

    func sleep(until instant: EngineInstant) async throws {
        try await Task.sleep(until: start.advanced(by: .nanoseconds(Int64(clamping: instant.nanoseconds))))
    }
}
