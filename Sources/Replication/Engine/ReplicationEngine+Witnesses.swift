internal import Transport

/// What is known of peers that this node does not hear, by way of peers that do.
///
/// A witness says that it hears all of its peers and lacks nothing of theirs, by their own messages alone: nobody is a witness
/// on the word of another, so that no two can assure each other of a third that neither hears. A witness tells whom it hears:
/// one that has given up a member vouches for the others only, and nobody takes its word who has not.
extension ReplicationEngine {
    /// How old the last heartbeat of a peer, or a hole in its stream, may be at a witness.
    private static let freshness: Duration = .seconds(2)
    /// How far what a witness has may be behind what its peers have: its freshness, that of the heartbeat before, and the way.
    private static let delay: Duration = .seconds(5)
    /// A witness whose data was compared so lately suffices.
    private static let recent: Duration = .seconds(3)

    /// This node and all of its peers.
    var membersSum: UInt64 { peers.reduce(own.id.origin.rawValue) { $0 ^ $1.nodeID.rawValue } }

    /// Whether this node is a witness.
    func hearsAll(at now: EngineInstant) -> Bool {
        guard isReady, !isLeaving, isSynced, table.count <= Self.maxHeardPeers else { return false }
        return peers.allSatisfy { peer in
            let state = table.state(peer.nodeID)
            let gapSince = streams[peer.nodeID]?.gapSince
            return state.report.isHeard && state.report.silence(at: now) <= Self.freshness
                && !state.standing.isFailing && (gapSince.map { now - $0 <= Self.freshness } ?? true)
        }
    }

    /// All that this witness had at some time is here, and so what the others had a little earlier, if it was a witness then.
    mutating func hear(witness: NodeID) {
        let state = table.state(witness)
        guard let covered = state.standing.coveredUntil, let since = state.report.witnessSince, covered >= since
        else { return }
        let until = covered + (Duration.zero - Self.delay)
        for peer in peers where peer.nodeID != witness {
            table.update(peer.nodeID) { $0.standing.noteWitnessed(until: until) }
        }
    }

    /// Somebody is silent: compares with a witness, unless equal roots or walks have done so lately.
    mutating func askWitness(at now: EngineInstant) {
        guard peers.contains(where: { isQuiet($0.nodeID, at: now) }) else { return }
        let members = membersSum
        let witnesses = peers.filter { table.state($0.nodeID).report.witness == members }
        let isRecent = witnesses.contains { witness in
            table.state(witness.nodeID).standing.coveredUntil.map { now - $0 < Self.recent } ?? false
        }
        guard !isRecent, let witness = witnesses.randomElement(using: &generator) else { return }
        wantWalk(with: witness.nodeID, notBefore: now, at: now)
    }
}
