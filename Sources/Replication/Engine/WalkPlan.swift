internal import Transport

/// When the next walk with a peer may begin, and will.
struct WalkPlan: Hashable, Sendable {
    /// A walk is wanted, at this time.
    private(set) var due: EngineInstant?
    /// No walk to close a hole before this, and none for a differing root before that.
    private(set) var notBeforeForHole = EngineInstant.zero
    private(set) var notBeforeForRoot = EngineInstant.zero
    /// Least time between the last walk and the next for a hole; `nil` before the first.
    private var interval: Duration?

    mutating func want(at instant: EngineInstant) { due = instant }

    /// The walk begins, or is not needed any more.
    mutating func settle() { due = nil }

    /// A walk has ended: walks that find nothing become rarer.
    mutating func noteEnd(isProductive: Bool, _ configuration: ReplicationConfiguration, at now: EngineInstant) {
        let next =
            isProductive
            ? configuration.walkInterval
            : min((interval ?? configuration.walkInterval / 2) * 2, configuration.maxWalkInterval)
        interval = next
        notBeforeForHole = now + next
        notBeforeForRoot = now + configuration.maxWalkInterval
    }
}
