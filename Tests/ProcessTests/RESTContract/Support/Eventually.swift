import Testing

/// Waits for a condition with a deadline, and records what was waited for when it does not come true.
func eventually(
    _ claim: String, within seconds: Double = 20, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
        if (try? await condition()) == true { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("not within \(seconds) s: \(claim)", sourceLocation: sourceLocation)
}
