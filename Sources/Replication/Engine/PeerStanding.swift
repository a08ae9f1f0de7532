internal import Transport

/// Whether everything that a peer had a while ago is here, as far as that is known.
///
/// Roots differ whenever somebody writes, and prove nothing. Known is: with equal roots everything that the peer has is here,
/// and after a whole walk everything that it had when the walk began. Where neither has been for 10 s, and for as long nothing
/// has been heard of the peer, a hole has been open or walks have failed, something keeps this node from what the peer has.
///
/// Of a peer that this node does not hear the same is known by way of a witness: one that hears all others, and of which all is
/// here.
struct PeerStanding: Hashable, Sendable {
    /// Walks that failed in a row. One may just have come at a bad moment.
    private static let failuresThatCount = 2

    private var beganAt: EngineInstant?
    /// Everything that the peer had then is here: equal roots or a walk have shown it.
    private(set) var coveredUntil: EngineInstant?
    /// Everything that the peer had then is here, by the word of another peer.
    private(set) var witnessedUntil: EngineInstant?
    /// Walks that have repaired nothing since.
    private var failures = 0
    private var failingSince = EngineInstant.zero
    private var lastFailure = Obstacle.noAnswer
    /// As of the last look.
    private(set) var obstacle: Obstacle?

    /// A walk with it failed.
    var isFailing: Bool { failures > 0 }
    /// A walk is to show whether something is over.
    var needsProof: Bool { isFailing || obstacle != nil }

    /// It became a peer.
    mutating func began(at now: EngineInstant) { beganAt = now }

    /// Everything that it had at that time is here.
    mutating func noteCovered(until instant: EngineInstant) {
        coveredUntil = max(coveredUntil ?? instant, instant)
        failures = 0
    }

    /// Another peer had everything that this one had then, and it is here.
    mutating func noteWitnessed(until instant: EngineInstant) {
        witnessedUntil = max(witnessedUntil ?? instant, instant)
    }

    /// Nothing from before then is missing, or nobody can know of it.
    private var knownUntil: EngineInstant? { [beganAt, coveredUntil, witnessedUntil].compactMap { $0 }.max() }

    /// A walk with it has failed, or left something out.
    mutating func noteFailure(_ obstacle: Obstacle, at now: EngineInstant) {
        if failures == 0 { failingSince = now }
        failures += 1
        lastFailure = obstacle
    }

    /// Since when something may be missing that an obstacle keeps away.
    var missingSince: EngineInstant? { obstacle == nil ? nil : knownUntil }

    /// `gapSince`: since when there has been a hole in its stream. `isSilent`: nothing has been heard of it for as long as
    /// that matters. `patience`: how long something may be missing. `true` when there is news.
    mutating func look(
        gapSince: EngineInstant?, isSilent: Bool, patience: Duration, at now: EngineInstant
    ) -> Bool {
        let before = obstacle
        obstacle = current(gapSince, isSilent, patience, at: now)
        return (before == nil) != (obstacle == nil)
    }

    private func current(
        _ gapSince: EngineInstant?, _ isSilent: Bool, _ patience: Duration, at now: EngineInstant
    ) -> Obstacle? {
        guard let knownUntil, now - knownUntil > patience else { return nil }
        if failures >= Self.failuresThatCount, now - failingSince > patience { return lastFailure }
        let isOpen = gapSince.map { now - $0 > patience } == true
        // Only proof ends an obstacle.
        guard isOpen || isSilent else { return obstacle }
        return failures > 0 ? lastFailure : isSilent ? .noAnswer : .missingChanges
    }
}
