import Transport

/// The wall clock of one node: what its operating system believes. The time of the engines is another: it never jumps.
struct NodeClock: Sendable {
    /// The wall time of the world at its start: 14 November 2023.
    static let epochMilliseconds: Int64 = 1_700_000_000_000

    /// How far it is off.
    var offsetMilliseconds: Int64 = 0
    /// Parts per million that it is fast.
    var drift = 0
    /// What it shows while it stands still.
    private(set) var frozenAt: Int64?

    func milliseconds(at now: EngineInstant) -> Int64 {
        if let frozenAt { return frozenAt }
        let elapsed = Int64(now.nanoseconds / 1_000_000)
        return Self.epochMilliseconds + elapsed + elapsed * Int64(drift) / 1_000_000 + offsetMilliseconds
    }

    mutating func freeze(at now: EngineInstant) { frozenAt = milliseconds(at: now) }

    mutating func thaw() { frozenAt = nil }
}
