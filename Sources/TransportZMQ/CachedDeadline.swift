/// The earliest of many deadlines, computed anew only after one of them has changed.
struct CachedDeadline {
    private var instant: ContinuousClock.Instant?
    private var isStale = false

    /// One of the deadlines has changed.
    mutating func invalidate() { isStale = true }

    /// Whether the deadline that was last asked for has come.
    func isDue(at now: ContinuousClock.Instant) -> Bool { instant.map { $0 <= now } ?? false }

    /// The earliest deadline, which `compute` finds.
    mutating func value(_ compute: () -> ContinuousClock.Instant?) -> ContinuousClock.Instant? {
        if isStale {
            isStale = false
            instant = compute()
        }
        return instant
    }
}

/// The earlier of two; `nil` stands for never.
func earlier(_ first: ContinuousClock.Instant?, _ second: ContinuousClock.Instant?) -> ContinuousClock.Instant? {
    guard let first, let second else { return first ?? second }
    return min(first, second)
}
