internal import Replication
internal import Transport

/// The merges of the changes that arrived last. The next batch is taken when they are done; what arrives meanwhile waits.
struct ChangeIntake: Sendable {
    /// A message that has waited no longer shows its sender's clock as it is.
    private static let freshness: Duration = .milliseconds(500)
    /// A process that gets no input for so long stood still: a core has something to do each second.
    private static let standstill: Duration = .milliseconds(1_500)
    /// A driver hands over what waits within this time.
    private static let handingOver: Duration = .milliseconds(100)

    private var merges: Set<ReplicationEngine.MergeToken> = []
    /// When the batch was taken since which something may wait.
    private var waitingSince: EngineInstant?
    /// When the last merge ended. What waited for it is taken at once.
    private var mergedAt: EngineInstant?
    private var lastInput = EngineInstant.zero
    private var staleUntil = EngineInstant.zero

    var isMerging: Bool { !merges.isEmpty }

    /// Time passes. After a standstill what comes first is old, however soon it is taken.
    mutating func noteInput(at now: EngineInstant) {
        if now - lastInput > Self.standstill { staleUntil = now + Self.standstill }
        lastInput = now
    }

    /// Whether the messages of a batch that is taken now have just arrived.
    mutating func isFresh(count: Int, at now: EngineInstant) -> Bool {
        defer {
            if count >= NodeCore.maxArrivals {
                waitingSince = waitingSince ?? now
                mergedAt = nil
            }
        }
        guard now >= staleUntil else { return false }
        guard let since = waitingSince else { return true }
        if count < NodeCore.maxArrivals { waitingSince = nil }
        // What comes so long after the end of a merge has not waited for it.
        let hasWaited = mergedAt.map { now - $0 < Self.handingOver } ?? true
        return now - since < Self.freshness || !hasWaited
    }

    /// Whether a message that is taken now, and was sent after `instant`, has just arrived.
    func isFresh(since instant: EngineInstant, at now: EngineInstant) -> Bool {
        now >= staleUntil && now - instant < Self.freshness
    }

    /// What the engine wants done with a batch.
    mutating func note(_ effects: [ReplicationEngine.Effect], at now: EngineInstant) {
        for case .merge(let token, _) in effects { merges.insert(token) }
        guard isMerging else { return }
        waitingSince = waitingSince ?? now
        mergedAt = nil
    }

    /// The store is done with this merge, or has given it up.
    mutating func noteMerged(_ token: ReplicationEngine.MergeToken, at now: EngineInstant) {
        merges.remove(token)
        if !isMerging { mergedAt = now }
    }
}
