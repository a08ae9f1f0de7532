internal import Replication

/// The merges of the changes that arrived last. The next batch is taken when they are done.
struct ChangeIntake: Sendable {
    private var merges: Set<ReplicationEngine.MergeToken> = []

    var isMerging: Bool { !merges.isEmpty }

    /// What the engine wants done with a batch.
    mutating func note(_ effects: [ReplicationEngine.Effect]) {
        for case .merge(let token, _) in effects { merges.insert(token) }
    }

    /// The store is done with this merge, or has given it up.
    mutating func noteMerged(_ token: ReplicationEngine.MergeToken) { merges.remove(token) }
}
