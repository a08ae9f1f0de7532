package import Transport

/// What a peer's heartbeats and our walks with it say.
struct PeerProgress: Hashable, Sendable {
    var lastHeartbeat: EngineInstant?
    var summary: TreeSummary?
    var isReady = false
    /// When its root first differed from ours, if it still does.
    var differsSince: EngineInstant?
    /// Heartbeats in a row whose root was not ours.
    var mismatches = 0
    /// A walk is wanted, at this time.
    var walkDue: EngineInstant?
    /// No walk before this.
    var notBefore = EngineInstant.zero
    /// Least time to the walk after the next; nil before the first.
    var interval: Duration?
}

extension ReplicationEngine {
    /// The walk that `.walk` asked for ended well.
    package mutating func walkFinished(
        with node: NodeID, _ outcome: WalkOutcome, at now: EngineInstant
    ) -> [Effect] {
        guard let headAtStart = walking.removeValue(forKey: node) else { return [] }
        if outcome.isProductive { stats.productiveWalks += 1 }
        if let headAtStart { windows[node]?.window.repaired(upTo: headAtStart) }
        noteGap(node, at: now)
        stats.mergedRows += outcome.mergedCount
        progress[node, default: PeerProgress()].mismatches = 0
        backOff(node, wasProductive: outcome.isProductive, at: now)
        var effects: [Effect] = []
        if let peer = peer(node) { effects.append(.emit(.walkFinished(peer, outcome))) }
        if outcome.aheadCount > 0, let furthest = outcome.furthestAhead {
            stats.aheadRows += outcome.aheadCount
            effects.append(.emit(.clockAhead(count: outcome.aheadCount, furthest: furthest)))
        }
        effects += syncWalkFinished(with: node, isDonorReady: outcome.isPeerReady, at: now)
        return effects
    }

    /// The walk that `.walk` asked for did not come about or broke. What it merged stays.
    package mutating func walkFailed(with node: NodeID, _ error: WalkError, at now: EngineInstant) -> [Effect] {
        guard walking.removeValue(forKey: node) != nil else { return [] }
        stats.failedWalks += 1
        backOff(node, wasProductive: false, at: now)
        var effects: [Effect] = []
        if let peer = peer(node) { effects.append(.emit(.walkFailed(peer, error))) }
        syncWalkFailed(with: node, error, at: now)
        return effects
    }

    mutating func receive(_ heartbeat: ReplicationMessage.Heartbeat, at now: EngineInstant) -> [Effect] {
        let node = heartbeat.stream.origin
        // Only members have heartbeats of interest; anybody else's would fill memory.
        guard node != stream.origin, peer(node) != nil else { return [] }
        openWindow(heartbeat.stream, head: heartbeat.head)
        guard let followed = windows[node], followed.start == heartbeat.stream.start else { return [] }
        let isStale = heartbeat.head < followed.window.end
        windows[node]?.window.noteEnd(heartbeat.head)
        noteGap(node, at: now)

        var state = progress[node] ?? PeerProgress()
        state.lastHeartbeat = now
        state.summary = heartbeat.summary
        state.isReady = heartbeat.isReady
        state.differsSince = heartbeat.summary == summary ? nil : state.differsSince ?? now
        if heartbeat.summary == summary {
            state.mismatches = 0
        } else if heartbeat.isReady && !isStale {
            // A peer that is syncing differs for good reason, and one whose later messages we have would soon agree.
            state.mismatches += 1
        }
        progress[node] = state
        // Of two nodes that differ the lower id walks first; the other only if that does not help.
        let patience = stream.origin < node ? 2 : 4
        if state.mismatches >= patience { wantWalk(with: node, at: now) }
        return heartbeat.summary == summary && heartbeat.isReady ? noteSynced() : []
    }

    /// Asks for a walk after a random delay, no sooner than the interval since the last one allows.
    private mutating func wantWalk(with node: NodeID, at now: EngineInstant) {
        guard isReady, walking[node] == nil, peer(node) != nil else { return }
        var state = progress[node] ?? PeerProgress()
        guard state.walkDue == nil else { return }
        let instant = max(now + generator.duration(in: configuration.walkJitter), state.notBefore)
        state.walkDue = instant
        progress[node] = state
        schedule(node, at: instant)
    }

    mutating func schedule(_ node: NodeID, at instant: EngineInstant) {
        due[node] = min(due[node] ?? instant, instant)
    }

    mutating func advanceWalks(at now: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        for node in due.filter({ $0.value <= now }).keys.sorted() {
            due[node] = nil
            if let since = windows[node]?.gapSince {
                if since + configuration.gapGrace <= now {
                    wantWalk(with: node, at: now)
                } else {
                    schedule(node, at: since + configuration.gapGrace)
                }
            }
            guard let instant = progress[node]?.walkDue else { continue }
            if instant > now {
                schedule(node, at: instant)
            } else if let effect = beginDueWalk(with: node, at: now) {
                effects.append(effect)
            }
        }
        return effects
    }

    private mutating func beginDueWalk(with node: NodeID, at now: EngineInstant) -> Effect? {
        guard walking.count < configuration.maxWalks else {
            let later = now + configuration.walkJitter.upperBound
            progress[node]?.walkDue = later
            schedule(node, at: later)
            return nil
        }
        progress[node]?.walkDue = nil
        let isStillNeeded = progress[node]?.summary != summary || windows[node]?.window.hasGap == true
        guard isStillNeeded, let peer = peer(node) else { return nil }
        return beginWalk(with: peer)
    }

    mutating func beginWalk(with peer: ReplicationPeer) -> Effect {
        stats.startedWalks += 1
        walking.updateValue(windows[peer.nodeID]?.window.end, forKey: peer.nodeID)
        return .walk(peer)
    }

    private mutating func backOff(_ node: NodeID, wasProductive: Bool, at now: EngineInstant) {
        var state = progress[node] ?? PeerProgress()
        let interval =
            wasProductive
            ? configuration.walkInterval
            : min((state.interval ?? configuration.walkInterval / 2) * 2, configuration.maxWalkInterval)
        state.interval = interval
        state.notBefore = now + interval
        progress[node] = state
        // A hole that the walk did not close asks for the next one.
        if windows[node]?.gapSince != nil { schedule(node, at: state.notBefore) }
    }
}
