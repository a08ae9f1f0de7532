internal import Transport

/// The first sync: walks until one with a synced donor is finished.
///
/// No walk begins before a heartbeat was heard from every peer, or for `donorWait`. A heartbeat shows that a peer's
/// broadcasts reach this node. How far a donor's answer goes in each stream the donor says; what was sent between that and
/// the first heartbeat is pulled.
struct FirstSync: Hashable, Sendable {
    private static let donorRetry: Duration = .milliseconds(200)

    private let startedAt: EngineInstant
    private var lastProgress: EngineInstant
    private var donor: NodeID?
    /// Somebody to sync from was there. Should all be gone, what they had may be missing here.
    private var hasSeenPeers = false
    /// Walked with, but not synced themselves.
    private var unsyncedDonors: Set<NodeID> = []
    /// Somebody went before this node had walked with them: what they had may be missing here.
    private var hasMissedPeers = false
    /// Donors had rows that this node passed over.
    private var hasMissedRows = false
    /// This node has no row, so that everybody may have something for it.
    private var isEmpty: Bool
    /// Donors that failed or were busy, and when to try them again.
    private var retryAt: [NodeID: EngineInstant] = [:]

    /// What to do now.
    enum Step: Hashable {
        case wait
        case open(isSynced: Bool)
        case walk(ReplicationPeer)
    }

    init(own: TreeSummary, at now: EngineInstant) {
        isEmpty = own.count == 0
        startedAt = now
        lastProgress = now
    }

    /// Whether a walk with this donor is under way.
    func isAsking(_ node: NodeID) -> Bool { donor == node }

    /// When `advance` has work at the latest.
    func deadline(_ table: PeerTable, _ configuration: ReplicationConfiguration) -> EngineInstant {
        let deadline = lastProgress + configuration.syncTimeout
        guard donor == nil else { return deadline }
        if table.isEmpty {
            return hasSeenPeers ? deadline : min(deadline, startedAt + configuration.donorWait)
        }
        if hasLookedEnough(table, configuration) {
            return min(deadline, concludesAt(table, configuration) ?? .zero)
        }
        let retry = untried(table).map { retryAt[$0.nodeID] ?? .zero }.min() ?? .zero
        return min(deadline, max(retry, Self.listensUntil(table, configuration) ?? .zero))
    }

    /// Chooses a donor, or ends the first sync.
    mutating func advance(
        _ table: PeerTable, _ configuration: ReplicationConfiguration, own: TreeSummary,
        using generator: inout SeededGenerator, at now: EngineInstant
    ) -> Step {
        isEmpty = own.count == 0
        if now >= lastProgress + configuration.syncTimeout { return .open(isSynced: false) }
        guard donor == nil else { return .wait }
        if table.isEmpty {
            guard !hasSeenPeers, now >= startedAt + configuration.donorWait else { return .wait }
            return .open(isSynced: false)
        }
        hasSeenPeers = true
        if hasLookedEnough(table, configuration) {
            if let end = concludesAt(table, configuration), now < end { return .wait }
            // Those who have nothing of their own prove nothing: others may be away.
            let hasAsked = !unsyncedDonors.isEmpty
            let isWhole = hasAsked && untried(table).isEmpty && table.areComplete && !hasMissedPeers
            return .open(isSynced: isWhole && !hasMissedRows)
        }
        if let end = Self.listensUntil(table, configuration), now < end { return .wait }
        let free = untried(table).filter { (retryAt[$0.nodeID] ?? .zero) <= now && !table.isWalking($0.nodeID) }
        let heard = free.filter { table.state($0.nodeID).report.isHeard }
        let synced = heard.filter { table.state($0.nodeID).report.isSynced }
        let best = !synced.isEmpty ? synced : !heard.isEmpty ? heard : free
        guard let chosen = best.randomElement(using: &generator) else { return .wait }
        donor = chosen.nodeID
        return .walk(chosen)
    }

    /// A walk has merged or skipped rows: it is alive.
    mutating func noteProgress(with node: NodeID, at now: EngineInstant) { if donor == node { lastProgress = now } }

    /// What the good end of a walk means.
    enum WalkEnd: Hashable {
        /// It was not the donor's.
        case nothing
        /// The donor was not synced: `advance` looks for another.
        case goesOn
        case open(isSynced: Bool)
    }

    mutating func walkFinished(with node: NodeID, _ outcome: WalkOutcome, at now: EngineInstant) -> WalkEnd {
        guard donor == node else { return .nothing }
        // Rows that were passed over are not here yet.
        if outcome.isPeerSynced { return .open(isSynced: outcome.isWhole) }
        donor = nil
        lastProgress = now
        unsyncedDonors.insert(node)
        hasMissedRows = hasMissedRows || !outcome.isWhole
        return .goesOn
    }

    mutating func walkFailed(with node: NodeID, at now: EngineInstant) {
        guard donor == node else { return }
        donor = nil
        retryAt[node] = now + Self.donorRetry
    }

    /// A donor that was not synced itself is by now: a walk with it ends the first sync.
    mutating func donorRecovered(_ node: NodeID) { unsyncedDonors.remove(node) }

    /// Members are gone. Those that this node has not walked with may have had what nobody else has.
    mutating func lost(_ gone: Set<NodeID>) { if !gone.isSubset(of: unsyncedDonors) { hasMissedPeers = true } }

    /// Those that may have something which is not here. One that has nothing of its own has not: those with data do not
    /// wait for it, which would be until they have sent it theirs.
    private func untried(_ table: PeerTable) -> [ReplicationPeer] {
        table.peers.filter { peer in
            guard !unsyncedDonors.contains(peer.nodeID) else { return false }
            let report = table.state(peer.nodeID).report
            return isEmpty || !(report.isBlank || report.summary?.count == 0)
        }
    }

    /// Everybody is starting: all that there is has been looked at.
    private func hasLookedEnough(_ table: PeerTable, _ configuration: ReplicationConfiguration) -> Bool {
        unsyncedDonors.count >= configuration.maxUnsyncedDonors || untried(table).isEmpty
    }

    /// Until when the choice of a donor waits for peers that were not heard yet; `nil` when all were.
    private static func listensUntil(
        _ table: PeerTable, _ configuration: ReplicationConfiguration
    ) -> EngineInstant? {
        guard let since = table.since, table.peers.contains(where: { !table.state($0.nodeID).report.isHeard })
        else { return nil }
        return since + configuration.donorWait
    }

    /// Until when a start that found nobody synced waits for members that were heard of and may be; `nil` when there are
    /// none. Bounded, since anybody can invent members; a node without data, that may lack all, waits longer.
    private func concludesAt(
        _ table: PeerTable, _ configuration: ReplicationConfiguration
    ) -> EngineInstant? {
        guard let since = table.since, !table.areComplete else { return nil }
        return isEmpty
            ? max(startedAt + configuration.emptyWait, since + configuration.hearsayWait)
            : since + configuration.hearsayWait
    }
}
