internal import Replication
internal import Transport

/// The merges of the changes that arrived last. The next batch is taken when they are done; what arrives meanwhile waits.
struct ChangeIntake: Sendable {
    /// A message that has waited no longer shows its sender's clock as it is.
    private static let freshness: Duration = .milliseconds(500)
    /// A process that gets no input for so long stood still: a core has something to do each second.
    private static let standstill: Duration = .milliseconds(1_500)

    private var merges: Set<ReplicationEngine.MergeToken> = []
    /// When the batch was taken since which something may wait.
    private var waitingSince: EngineInstant?
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
        defer { if count >= NodeCore.maxArrivals { waitingSince = waitingSince ?? now } }
        guard now >= staleUntil else { return false }
        guard let since = waitingSince else { return true }
        if count < NodeCore.maxArrivals { waitingSince = nil }
        return now - since < Self.freshness
    }

    /// What the engine wants done with a batch.
    mutating func note(_ effects: [ReplicationEngine.Effect], at now: EngineInstant) {
        for case .merge(let token, _) in effects { merges.insert(token) }
        if isMerging { waitingSince = waitingSince ?? now }
    }

    /// The store is done with this merge, or has given it up.
    mutating func noteMerged(_ token: ReplicationEngine.MergeToken) { merges.remove(token) }
}
