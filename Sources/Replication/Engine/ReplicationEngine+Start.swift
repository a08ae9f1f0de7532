package import Transport

/// From start to open.
extension ReplicationEngine {
    /// What this start found in its database, before anything has come from others.
    package mutating func begin(_ own: TreeSummary) { readiness.noteStart(isEmpty: own.count == 0) }

    /// Opens without a first sync. `isSynced`: there is nobody else, so that this node's data is the cluster's; `false`
    /// where nobody answered in time, who may have more. Of this and `beginFirstSync` only the first call counts.
    package mutating func open(isSynced: Bool, summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard readiness.isUndecided else { return [] }
        return becomeReady(isSynced: isSynced, summary, at: now)
    }

    /// Members are known: syncs from one of them, then opens. Of this and `open` only the first call counts.
    package mutating func beginFirstSync(summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard readiness.isUndecided else { return [] }
        readiness.begin(FirstSync(own: summary, at: now))
        return advanceSync(summary, at: now)
    }

    /// Nobody else is there, and has been for as long as a start may last: what is here is what there is.
    package mutating func settle() -> [Effect] { peers.isEmpty ? noteSynced() : [] }

    /// A walk has merged or skipped rows: it is alive.
    package mutating func walkProgressed(with node: NodeID, at now: EngineInstant) {
        readiness.update { $0.noteProgress(with: node, at: now) }
    }

    mutating func advanceSync(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        // Who leaves opens no more.
        guard !isLeaving else { return [] }
        switch readiness.update({ $0.advance(table, configuration, own: summary, using: &generator, at: now) }) ?? .wait
        {
        case .wait: return []
        case .open(let isSynced): return becomeReady(isSynced: isSynced, summary, at: now)
        case .walk(let donor): return [.emit(.syncStarted(donor: donor)), beginWalk(with: donor, at: now)]
        }
    }

    mutating func syncWalkFinished(
        with node: NodeID, _ outcome: WalkOutcome, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        switch readiness.update({ $0.walkFinished(with: node, outcome, at: now) }) {
        case nil:
            let isComplete = outcome.isWhole && (outcome.isPeerSynced || haveAllMatched)
            return isComplete ? noteSynced() : []
        case .nothing: return []
        case .goesOn: return advanceSync(summary, at: now)
        case .open(let isSynced): return becomeReady(isSynced: isSynced, summary, at: now)
        }
    }

    /// What each of the peers had has come here: where nobody is synced, as after a power cut, the first to have this is.
    /// A peer that starts does not count: it has nothing yet, and may take this node's word for its own.
    var haveAllMatched: Bool {
        !peers.isEmpty
            && peers.allSatisfy { peer in
                let report = table.state(peer.nodeID).report
                return report.hasMatched && report.isReady
            }
    }

    /// Data known to be complete: a walk with a synced donor has ended, or a synced peer's root is ours, or all peers'
    /// data is here.
    mutating func noteSynced() -> [Effect] { readiness.noteSynced() ? [.emit(.becameSynced)] : [] }

    private mutating func becomeReady(
        isSynced: Bool, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        readiness.open(isSynced: isSynced)
        if !isSynced { streams.expectNothing() }
        // Holes that showed while no walk could begin.
        for peer in peers { noteGap(peer.nodeID, at: now) }
        // Peers learn at once that this node can be a donor.
        return [.emit(.becameReady(isSynced: isSynced)), heartbeat(summary, at: now)]
    }
}
