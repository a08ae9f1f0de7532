internal import Transport

/// What keeps this node from what its peers have: it shows in `isSynced`, in a peer's lag, and in one event each way.
extension ReplicationEngine {
    /// Peers that something keeps this node away from, by what it is.
    package var obstacles: [Obstacle: Int] {
        var counts: [Obstacle: Int] = [:]
        for peer in peers {
            if let obstacle = table.state(peer.nodeID).standing.obstacle { counts[obstacle, default: 0] += 1 }
        }
        let leftOut = table.versions.leftOutCount
        if leftOut > 0 { counts[.version, default: 0] += leftOut }
        return counts
    }

    var hasObstacle: Bool { table.obstructedCount > 0 || table.versions.leftOutCount > 0 }

    /// With each heartbeat.
    mutating func lookForObstacles(at now: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        for peer in peers {
            let gapSince = streams[peer.nodeID]?.gapSince
            let isSilent = isSilent(peer.nodeID, at: now)
            let patience = configuration.obstaclePatience
            let isNews = table.update(peer.nodeID) {
                $0.standing.look(gapSince: gapSince, isSilent: isSilent, patience: patience, at: now)
            }
            guard isNews == true else { continue }
            let obstacle = table.state(peer.nodeID).standing.obstacle
            effects.append(.emit(obstacle.map { .obstructed(peer, $0) } ?? .unobstructed(peer)))
        }
        table.countObstructed()
        // Whether a failure is over shows by the next walk only.
        for peer in peers where table.state(peer.nodeID).standing.needsProof {
            wantWalk(with: peer.nodeID, notBefore: table.state(peer.nodeID).plan.notBeforeForRoot, at: now)
        }
        return effects
    }

    /// What has just come may have ended an obstacle: that shows at once.
    mutating func lookAgain(at node: NodeID, at now: EngineInstant) -> [Effect] {
        table.state(node).standing.obstacle == nil ? [] : lookForObstacles(at: now)
    }

    /// A walk with a peer has failed. In a large cluster peers are busy now and then without that anything is wrong.
    mutating func noteObstacle(_ error: WalkError, with node: NodeID, at now: EngineInstant) {
        guard error != .refused(.busy) || table.count <= Self.maxHeardPeers else { return }
        table.update(node) { $0.standing.noteFailure(Obstacle(error), at: now) }
    }

    /// A walk with a peer has ended well that began then.
    mutating func noteCompared(
        _ outcome: WalkOutcome, with node: NodeID, since began: EngineInstant, at now: EngineInstant
    ) {
        table.update(node) {
            if outcome.isWhole {
                $0.standing.noteCovered(until: began)
            } else {
                $0.standing.noteFailure(outcome.failedMergeCount > 0 ? .store : .passedOver, at: now)
            }
        }
    }
}
