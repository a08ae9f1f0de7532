/// Lifeguard's local health multiplier (§4.1): how much this node should doubt itself before it accuses others.
///
/// 0 is healthy. It rises when our probes fail although helpers could have told us, and when others suspect us.
package struct LocalHealth: Hashable, Sendable {
    /// 0 up to one less than the limit.
    package private(set) var score = 0
    private let limit: Int

    package init(limit: Int) {
        precondition(limit >= 1, "a local health limit of \(limit)")
        self.limit = limit
    }

    /// Moves the score, held within its range.
    package mutating func apply(_ delta: Int) {
        score = min(limit - 1, max(0, score + min(limit, max(-limit, delta))))
    }

    /// `duration` times the score plus one.
    package func scale(_ duration: Duration) -> Duration { duration * (score + 1) }
}
