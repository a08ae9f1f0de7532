package import Transport

/// From start to open.
enum Readiness: Hashable, Sendable {
    /// Membership has not decided yet.
    case undecided
    case syncing(FirstSync)
    case ready
}

/// The first sync: walks until one with a synced donor is finished.
///
/// No walk begins before a heartbeat was heard from every peer, or for `donorWait`. A heartbeat shows that a peer's
/// broadcasts reach this node; what a peer commits after a donor's snapshot and before that would come neither way, and
/// leave no hole, since its stream is followed from its first heartbeat on.
struct FirstSync: Hashable, Sendable {
    var startedAt: EngineInstant
    var lastProgress: EngineInstant
    var donor: NodeID?
    /// Somebody to sync from was there. Should all be gone, what they had may be missing here.
    var hasSeenPeers = false
    /// Walked with, but not synced themselves.
    var unsyncedDonors: Set<NodeID> = []
    /// Somebody went before this node had walked with them: what they had may be missing here.
    var hasMissedPeers = false
    /// Donors had rows that are ahead of this node's clock.
    var hasMissedRows = false
    /// Donors that failed or were busy, and when to try them again.
    var retryAt: [NodeID: EngineInstant] = [:]
}

extension ReplicationEngine {
    private static let donorRetry: Duration = .milliseconds(200)

    /// Opens without a first sync. `isSynced`: there is nobody else, so that this node's data is the cluster's; `false`
    /// where nobody answered in time, who may have more. Of this and `beginFirstSync` only the first call counts.
    package mutating func open(isSynced: Bool, summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard case .undecided = readiness else { return [] }
        return becomeReady(isSynced: isSynced, summary, at: now)
    }

    /// Members are known: syncs from one of them, then opens. Of this and `open` only the first call counts.
    package mutating func beginFirstSync(summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard case .undecided = readiness else { return [] }
        readiness = .syncing(FirstSync(startedAt: now, lastProgress: now))
        return advanceSync(summary, at: now)
    }

    /// A walk has merged or skipped rows: it is alive.
    package mutating func walkProgressed(with node: NodeID, at now: EngineInstant) {
        guard case .syncing(var sync) = readiness, sync.donor == node else { return }
        sync.lastProgress = now
        readiness = .syncing(sync)
    }

    var syncDeadline: EngineInstant? {
        guard case .syncing(let sync) = readiness else { return nil }
        let deadline = sync.lastProgress + configuration.syncTimeout
        guard sync.donor == nil else { return deadline }
        if peers.isEmpty {
            return sync.hasSeenPeers ? deadline : min(deadline, sync.startedAt + configuration.donorWait)
        }
        if hasLookedEnough(sync) { return min(deadline, concludesAt ?? .zero) }
        let retry = untriedPeers(sync).map { sync.retryAt[$0.nodeID] ?? .zero }.min() ?? .zero
        return min(deadline, max(retry, listensUntil ?? .zero))
    }

    /// Until when the choice of a donor waits for peers that were not heard yet; `nil` when all were.
    private var listensUntil: EngineInstant? {
        guard let peersSince, peers.contains(where: { !isHeard($0) }) else { return nil }
        return peersSince + configuration.donorWait
    }

    /// Until when a start that found nobody synced waits for members that were heard of and may be; `nil` when there are
    /// none. Bounded, since anybody can invent members.
    private var concludesAt: EngineInstant? {
        guard let peersSince, !arePeersComplete else { return nil }
        return peersSince + configuration.hearsayWait
    }

    private func isHeard(_ peer: ReplicationPeer) -> Bool { progress[peer.nodeID]?.lastHeartbeat != nil }

    private func untriedPeers(_ sync: FirstSync) -> [ReplicationPeer] {
        peers.filter { !sync.unsyncedDonors.contains($0.nodeID) }
    }

    /// Everybody is starting: all that there is has been looked at.
    private func hasLookedEnough(_ sync: FirstSync) -> Bool {
        sync.unsyncedDonors.count >= configuration.maxUnsyncedDonors || untriedPeers(sync).isEmpty
    }

    mutating func advanceSync(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard case .syncing(var sync) = readiness else { return [] }
        if now >= sync.lastProgress + configuration.syncTimeout {
            return becomeReady(isSynced: false, summary, at: now)
        }
        guard sync.donor == nil else { return [] }
        if peers.isEmpty {
            guard !sync.hasSeenPeers, now >= sync.startedAt + configuration.donorWait else { return [] }
            return becomeReady(isSynced: false, summary, at: now)
        }
        sync.hasSeenPeers = true
        readiness = .syncing(sync)
        if hasLookedEnough(sync) {
            if let end = concludesAt, now < end { return [] }
            let isWhole = untriedPeers(sync).isEmpty && arePeersComplete && !sync.hasMissedPeers
            return becomeReady(isSynced: isWhole && !sync.hasMissedRows, summary, at: now)
        }
        if let end = listensUntil, now < end { return [] }
        let free = untriedPeers(sync).filter {
            (sync.retryAt[$0.nodeID] ?? .zero) <= now && walking[$0.nodeID] == nil
        }
        let heard = free.filter(isHeard)
        let synced = heard.filter { progress[$0.nodeID]?.isSynced == true }
        let best = !synced.isEmpty ? synced : !heard.isEmpty ? heard : free
        guard let donor = best.randomElement(using: &generator) else { return [] }
        sync.donor = donor.nodeID
        readiness = .syncing(sync)
        return [.emit(.syncStarted(donor: donor)), beginWalk(with: donor)]
    }

    /// What a peer sent until now may be missing from what a donor brings.
    var hasWalkBegun: Bool {
        guard case .syncing(let sync) = readiness else { return false }
        return sync.donor != nil || !sync.unsyncedDonors.isEmpty
    }

    mutating func syncWalkFinished(
        with node: NodeID, _ outcome: WalkOutcome, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        // Rows that are ahead of this node's clock are not here yet.
        let isComplete = outcome.aheadCount == 0
        guard case .syncing(var sync) = readiness else {
            return isComplete && (outcome.isPeerSynced || haveAllMatched) ? noteSynced() : []
        }
        guard sync.donor == node else { return [] }
        if outcome.isPeerSynced { return becomeReady(isSynced: isComplete, summary, at: now) }
        sync.donor = nil
        sync.lastProgress = now
        sync.unsyncedDonors.insert(node)
        sync.hasMissedRows = sync.hasMissedRows || outcome.aheadCount > 0
        readiness = .syncing(sync)
        return advanceSync(summary, at: now)
    }

    mutating func syncWalkFailed(with node: NodeID, _ error: WalkError, at now: EngineInstant) {
        guard case .syncing(var sync) = readiness, sync.donor == node else { return }
        sync.donor = nil
        sync.retryAt[node] = now + Self.donorRetry
        readiness = .syncing(sync)
    }

    /// A donor that was not synced itself is by now: a walk with it ends the first sync.
    mutating func syncDonorRecovered(_ node: NodeID) {
        guard case .syncing(var sync) = readiness, sync.unsyncedDonors.remove(node) != nil else { return }
        readiness = .syncing(sync)
    }

    /// Members are gone. Those that this node has not walked with may have had what nobody else has.
    mutating func syncLost(_ gone: Set<NodeID>) {
        guard case .syncing(var sync) = readiness, !gone.isSubset(of: sync.unsyncedDonors) else { return }
        sync.hasMissedPeers = true
        readiness = .syncing(sync)
    }

    /// What each of the peers had has come here: where nobody is synced, as after a power cut, the first to have this is.
    /// A peer that starts does not count: it has nothing yet, and may take this node's word for its own.
    var haveAllMatched: Bool {
        !peers.isEmpty
            && peers.allSatisfy { peer in progress[peer.nodeID].map { $0.hasMatched && $0.isReady } ?? false }
    }

    /// Data known to be complete: a walk with a synced donor has ended, or a synced peer's root is ours, or all peers'
    /// data is here.
    mutating func noteSynced() -> [Effect] {
        guard isReady, !isSynced else { return [] }
        isSynced = true
        return [.emit(.becameSynced)]
    }

    private mutating func becomeReady(
        isSynced: Bool, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        readiness = .ready
        self.isSynced = isSynced
        // Holes that showed while no walk could begin.
        for peer in peers { noteGap(peer.nodeID, at: now) }
        // Peers learn at once that this node can be a donor.
        return [.emit(.becameReady(isSynced: isSynced)), heartbeat(summary, at: now)]
    }
}
