internal import Transport

/// Heartbeats: they tell the head of a stream, the root of a tree and how a node stands.
extension ReplicationEngine {
    mutating func heartbeat(_ summary: TreeSummary, at now: EngineInstant) -> Effect {
        compareWithSilent(at: now)
        own.heartbeatSent(next: now + configuration.heartbeatInterval)
        let others = streams.movedHeads(
            configuration, firstUnmerged: merges.firstUnmerged, using: &generator, at: now)
        return .heartbeat(
            .init(
                stream: own.id, head: own.head, summary: summary, isReady: isReady && !isLeaving,
                isSynced: isSynced && !isLeaving, isBlank: readiness.isBlank,
                witness: hearsAll(at: now) ? membersSum : nil, others: others),
            version: table.versions.spoken)
    }

    /// A member that lives, though no heartbeat of it arrives, is compared with all the same: its messages may be lost on
    /// a way that exchanges do not take.
    private mutating func compareWithSilent(at now: EngineInstant) {
        for peer in peers where isQuiet(peer.nodeID, at: now) {
            wantWalk(with: peer.nodeID, notBefore: table.state(peer.nodeID).plan.notBeforeForRoot, at: now)
        }
        askWitness(at: now)
    }

    mutating func receive(
        _ heartbeat: ReplicationMessage.Heartbeat, isFresh: Bool, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        let node = heartbeat.stream.origin
        // Only members have heartbeats of interest; anybody else's would fill memory.
        guard node != own.id.origin, table.has(node) else { return [] }
        if isFresh { clocks.note(node, heartbeat.wallMilliseconds, at: now) }
        guard follow(heartbeat, summary, at: now) else { return [] }
        note(heartbeat.others, at: now)
        // With equal roots everything that it has is here, whatever number it had.
        if heartbeat.summary != summary { noteHearsay(heartbeat.others, from: node, at: now) }
        // It may not have known this node when our last one was sent, and waits for one.
        if !table.state(node).report.isHeard {
            own.hastenHeartbeat(to: now + configuration.connectHeartbeatDelay)
        }
        let isUpToDate = streams[node]?.window.head == heartbeat.head && merges.isEmpty
        table.update(node) {
            $0.report.note(heartbeat, own: summary, isUpToDate: isUpToDate, at: now)
            if heartbeat.summary == summary { $0.standing.noteCovered(until: now) }
        }
        if let witness = heartbeat.witness, witness == membersSum { hear(witness: node) }
        let state = table.state(node)
        // Of two nodes that differ the lower id walks first; the other only if that does not help.
        let patience = configuration.heartbeatInterval * (own.id.origin < node ? 0.9 : 2.9)
        if let since = state.report.differsSince, now - since >= patience {
            wantWalk(with: node, notBefore: state.plan.notBeforeForRoot, at: now)
        }
        if heartbeat.isSynced { readiness.update { $0.donorRecovered(node) } }
        // The first sync may have waited for this one.
        let isComplete = heartbeat.summary == summary && (heartbeat.isSynced || haveAllMatched)
        return lookAgain(at: node, at: now) + (isComplete ? noteSynced() : []) + advanceSync(summary, at: now)
            + advanceHandOver(summary, at: now)
    }

    /// Notes how far the sender's stream has come; `false` when another start of it is followed.
    private mutating func follow(
        _ heartbeat: ReplicationMessage.Heartbeat, _ summary: TreeSummary, at now: EngineInstant
    ) -> Bool {
        let node = heartbeat.stream.origin
        openStream(heartbeat.stream, head: heartbeat.head)
        guard let followed = streams[node] else { return false }
        if table.update(node, { $0.report.contradicts(heartbeat, followed) }) == true {
            streams.reopen(heartbeat.stream, head: heartbeat.head)
        }
        guard streams[node]?.start == heartbeat.stream.start else { return false }
        streams.update(node) {
            $0.noteEnd(heartbeat.head)
            // Equal roots prove that nothing is missing, whatever was lost on the way.
            if heartbeat.summary == summary { $0.noteEqual(upTo: heartbeat.head) }
        }
        noteGap(node, at: now)
        return true
    }
}
