package import Transport

/// Walks that this node leads: when they begin, and what their end means.
extension ReplicationEngine {
    /// What this node tells of streams to a peer whose walk it answers: of all that are its peers', and its own, to one that
    /// starts; of those that moved lately to others, where there are many.
    package mutating func storedHeads(for node: NodeID, at now: EngineInstant) -> [ReplicationMessage.StreamHead] {
        let own = [ReplicationMessage.StreamHead(stream: own.id, head: own.head)]
        let unmerged = merges.firstUnmerged
        guard table.count > configuration.maxHeads, table.state(node).report.isReady else {
            return own + streams.storedHeads(of: peers.lazy.map(\.nodeID), firstUnmerged: unmerged)
        }
        return own + streams.movedHeads(configuration, firstUnmerged: unmerged, using: &generator, at: now)
    }

    /// The peer has accepted the walk that `.walk` asked for, and tells how far the streams have come that its answer covers.
    package mutating func walkAccepted(
        by node: NodeID, _ heads: [ReplicationMessage.StreamHead], at now: EngineInstant
    ) {
        table.walkAccepted(by: node, heads)
        guard readiness.sync?.isAsking(node) == true else { return }
        for origin in streams.expect(heads) { noteGap(origin, at: now) }
    }

    /// A whole walk has brought what its answer covers.
    private mutating func noteCovered(_ heads: [ReplicationMessage.StreamHead], at now: EngineInstant) {
        for told in heads where table.has(told.stream.origin) {
            let origin = told.stream.origin
            guard streams[origin]?.start == told.stream.start else { continue }
            streams.update(origin) { $0.noteCovered(upTo: told.head) }
            noteGap(origin, at: now)
        }
    }

    /// The walk that `.walk` asked for ended well.
    package mutating func walkFinished(
        with node: NodeID, _ outcome: WalkOutcome, summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        guard let walk = table.walkEnded(with: node) else { return [] }
        if outcome.isProductive { stats.productiveWalks += 1 }
        stats.walkRoundTrips += outcome.roundTrips
        streams.update(node) { $0.walkEnded(walk) }
        if outcome.isWhole { noteCovered(walk.heads, at: now) }
        hearsay.walkEnded(with: node, isDone: true, at: now)
        noteCompared(outcome, with: node, since: walk.began, at: now)
        var effects = lookAgain(at: node, at: now)
        count(outcome)
        table.update(node) {
            $0.report.walkEnded(isComplete: outcome.isWhole)
            $0.plan.noteEnd(isProductive: outcome.isProductive, configuration, at: now)
        }
        if let peer = table[node] { effects.append(.emit(.walkFinished(peer, outcome))) }
        if outcome.aheadCount > 0, let furthest = outcome.furthestAhead {
            effects.append(.emit(.clockAhead(count: outcome.aheadCount, furthest: furthest)))
        }
        effects += syncWalkFinished(with: node, outcome, summary, at: now)
        effects += handOverWalkEnded(with: node, isDone: outcome.hasPeerAll, at: now)
        noteGap(node, at: now)
        return effects
    }

    /// A walk that a peer led with this node, and that began at `began`, ended well.
    package mutating func walkServed(
        _ outcome: WalkOutcome, with node: NodeID, since began: EngineInstant, at now: EngineInstant
    ) {
        stats.servedWalks += 1
        noteCompared(outcome, with: node, since: began, at: now)
        count(outcome)
    }

    /// The walk that `.walk` asked for did not come about or broke. What it merged stays.
    package mutating func walkFailed(with node: NodeID, _ error: WalkError, at now: EngineInstant) -> [Effect] {
        guard table.walkEnded(with: node) != nil else { return [] }
        stats.failedWalks += 1
        if error == .unknownRecord { stats.unknownRecords += 1 }
        table.update(node) { $0.plan.noteEnd(isProductive: false, configuration, at: now) }
        if readiness.sync?.isAsking(node) == true { streams.expectNothing() }
        readiness.update { $0.walkFailed(with: node, at: now) }
        hearsay.walkEnded(with: node, isDone: false, at: now)
        noteObstacle(error, with: node, at: now)
        noteGap(node, at: now)
        let effects = handOverWalkEnded(with: node, isDone: false, at: now)
        return (table[node].map { [.emit(.walkFailed($0, error))] } ?? []) + effects
    }

    private mutating func count(_ outcome: WalkOutcome) {
        stats.mergedRows += outcome.mergedCount
        stats.aheadRows += outcome.aheadCount
        stats.walkRowsSent += outcome.sentCount
        stats.walkRowsReceived += outcome.receivedCount
    }

    /// Asks for a walk after a random delay.
    mutating func wantWalk(with node: NodeID, notBefore: EngineInstant, at now: EngineInstant) {
        guard isReady, !table.isWalking(node), table.has(node), table.state(node).plan.due == nil else { return }
        let instant = max(now + generator.duration(in: configuration.walkJitter), notBefore)
        table.update(node) { $0.plan.want(at: instant) }
        table.setTimer(node, at: instant)
    }

    /// Pulls and walks that are due.
    mutating func advancePeers(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        for node in table.takeTimers(at: now) {
            if let since = streams[node]?.gapSince, let pull = advanceGap(node, since: since, at: now) {
                effects.append(pull)
            }
            guard let instant = table.state(node).plan.due else { continue }
            if instant > now {
                table.setTimer(node, at: instant)
            } else if let walk = beginDueWalk(with: node, summary, at: now) {
                effects.append(walk)
            }
        }
        return effects
    }

    private mutating func beginDueWalk(
        with node: NodeID, _ summary: TreeSummary, at now: EngineInstant
    ) -> Effect? {
        guard table.walkCount < configuration.maxWalks else {
            let later = now + configuration.walkJitter.upperBound
            table.update(node) { $0.plan.want(at: later) }
            table.setTimer(node, at: later)
            return nil
        }
        table.update(node) { $0.plan.settle() }
        let isNeeded =
            table.state(node).report.summary != summary || streams[node]?.window.hasGap == true
            || isQuiet(node, at: now)
        guard isNeeded, let peer = table[node] else { return nil }
        return beginWalk(with: peer, at: now)
    }

    mutating func beginWalk(with peer: ReplicationPeer, at now: EngineInstant) -> Effect {
        stats.startedWalks += 1
        table.walkBegan(with: peer.nodeID, WalkUnderWay(of: streams[peer.nodeID], at: now))
        return .walk(peer)
    }
}
