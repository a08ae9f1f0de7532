package import Transport

/// What a peer's heartbeats and our walks with it say.
struct PeerProgress: Hashable, Sendable {
    var lastHeartbeat: EngineInstant?
    var summary: TreeSummary?
    var isReady = false
    var isSynced = false
    /// Everything that it had is here, or was once since this node started: a walk or equal roots have shown it.
    var hasMatched = false
    /// When its root first differed from ours although all it had sent was here, if it still does.
    var differsSince: EngineInstant?
    /// Heartbeats in a row that contradict what we believe of its stream.
    var contradictions = 0
    var lastHead: UInt64?
    /// A walk is wanted, at this time.
    var walkDue: EngineInstant?
    /// No walk to close a hole before this, and none for a differing root before that.
    var notBeforeForHole = EngineInstant.zero
    var notBeforeForRoot = EngineInstant.zero
    /// Least time between the last walk and the next for a hole; nil before the first.
    var interval: Duration?
}

/// A walk that this node leads.
struct WalkUnderWay: Hashable, Sendable {
    /// The peer's stream when it began: everything up to there is here when it ends.
    var end: UInt64?
    var lossCount = 0
}

extension ReplicationEngine {
    /// The walk that `.walk` asked for ended well.
    package mutating func walkFinished(
        with node: NodeID, _ outcome: WalkOutcome, summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        guard let walk = walking.removeValue(forKey: node) else { return [] }
        if outcome.isProductive { stats.productiveWalks += 1 }
        stats.walkRoundTrips += outcome.roundTrips
        if let end = walk.end {
            windows[node]?.window.repaired(upTo: end, lossCount: walk.lossCount)
            windows[node]?.pulls = 0
        }
        windows[node]?.hasPulled = false
        count(outcome)
        progress[node]?.differsSince = nil
        backOff(node, wasProductive: outcome.isProductive, at: now)
        var effects: [Effect] = []
        if let peer = peer(node) { effects.append(.emit(.walkFinished(peer, outcome))) }
        if outcome.aheadCount > 0, let furthest = outcome.furthestAhead {
            effects.append(.emit(.clockAhead(count: outcome.aheadCount, furthest: furthest)))
        }
        if outcome.aheadCount == 0, peer(node) != nil { progress[node, default: PeerProgress()].hasMatched = true }
        effects += syncWalkFinished(with: node, outcome, summary, at: now)
        noteGap(node, at: now)
        return effects
    }

    /// A walk that a peer led with this node ended well.
    package mutating func walkServed(_ outcome: WalkOutcome) {
        stats.servedWalks += 1
        count(outcome)
    }

    private mutating func count(_ outcome: WalkOutcome) {
        stats.mergedRows += outcome.mergedCount
        stats.aheadRows += outcome.aheadCount
        stats.walkRowsSent += outcome.sentCount
        stats.walkRowsReceived += outcome.receivedCount
    }

    /// The walk that `.walk` asked for did not come about or broke. What it merged stays.
    package mutating func walkFailed(with node: NodeID, _ error: WalkError, at now: EngineInstant) -> [Effect] {
        guard walking.removeValue(forKey: node) != nil else { return [] }
        stats.failedWalks += 1
        backOff(node, wasProductive: false, at: now)
        var effects: [Effect] = []
        if let peer = peer(node) { effects.append(.emit(.walkFailed(peer, error))) }
        syncWalkFailed(with: node, error, at: now)
        noteGap(node, at: now)
        return effects
    }

    mutating func receive(
        _ heartbeat: ReplicationMessage.Heartbeat, _ summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        let node = heartbeat.stream.origin
        // Only members have heartbeats of interest; anybody else's would fill memory.
        guard node != stream.origin, peer(node) != nil else { return [] }
        openWindow(heartbeat.stream, head: heartbeat.head)
        correctWindow(by: heartbeat, at: now)
        guard let followed = windows[node], followed.start == heartbeat.stream.start else { return [] }
        windows[node]?.window.noteEnd(heartbeat.head)
        // Equal roots prove that nothing is missing, whatever was lost on the way.
        if heartbeat.summary == summary {
            windows[node]?.window.repaired(upTo: heartbeat.head, lossCount: followed.window.lossCount)
        }
        noteGap(node, at: now)
        note(heartbeat.others, at: now)

        var state = progress[node] ?? PeerProgress()
        if state.lastHeartbeat == nil {
            // It may not have known this node when our last one was sent, and waits for one.
            nextHeartbeat = min(nextHeartbeat, now + configuration.connectHeartbeatDelay)
        }
        state.lastHeartbeat = now
        state.summary = heartbeat.summary
        (state.isReady, state.isSynced) = (heartbeat.isReady, heartbeat.isSynced)
        let isUpToDate = windows[node]?.window.head == heartbeat.head && merges.isEmpty
        if heartbeat.summary == summary {
            state.differsSince = nil
        } else if heartbeat.isReady && isUpToDate {
            // A peer that is syncing differs for good reason, and one whose messages are under way would soon agree.
            state.differsSince = state.differsSince ?? now
        }
        if heartbeat.summary == summary { state.hasMatched = true }
        progress[node] = state
        // Of two nodes that differ the lower id walks first; the other only if that does not help.
        let patience = configuration.heartbeatInterval * (stream.origin < node ? 0.9 : 2.9)
        if let since = state.differsSince, now - since >= patience {
            wantWalk(with: node, notBefore: state.notBeforeForRoot, at: now)
        }
        if heartbeat.isSynced { syncDonorRecovered(node) }
        // The first sync may have waited for this one.
        let isComplete = heartbeat.summary == summary && (heartbeat.isSynced || haveAllMatched)
        return (isComplete ? noteSynced() : []) + advanceSync(summary, at: now)
    }

    /// A window that goes beyond what its origin says of itself, or belongs to a start that the origin knows nothing of,
    /// was made by a forged message or by an older database put back. It is opened anew when the origin has said so
    /// several times in a row: one such heartbeat may just be late.
    private mutating func correctWindow(by heartbeat: ReplicationMessage.Heartbeat, at now: EngineInstant) {
        let node = heartbeat.stream.origin
        guard let followed = windows[node] else { return }
        var state = progress[node] ?? PeerProgress()
        let isFarBeyond =
            followed.window.end > heartbeat.head
            && followed.window.end - heartbeat.head > UInt64(StreamWindow.maxPending)
        let isBehindForLong = followed.window.end > heartbeat.head && state.lastHead == heartbeat.head
        let contradicts = followed.start != heartbeat.stream.start || isFarBeyond || isBehindForLong
        state.contradictions = contradicts ? state.contradictions + 1 : 0
        state.lastHead = heartbeat.head
        if state.contradictions >= 3 {
            state.contradictions = 0
            var window = StreamWindow(head: heartbeat.head)
            window.noteLost()
            windows[node] = FollowedStream(start: heartbeat.stream.start, window: window)
        }
        progress[node] = state
    }

    /// Asks for a walk after a random delay.
    private mutating func wantWalk(with node: NodeID, notBefore: EngineInstant, at now: EngineInstant) {
        guard isReady, walking[node] == nil, peer(node) != nil else { return }
        var state = progress[node] ?? PeerProgress()
        guard state.walkDue == nil else { return }
        let instant = max(now + generator.duration(in: configuration.walkJitter), notBefore)
        state.walkDue = instant
        progress[node] = state
        schedule(node, at: instant)
    }

    mutating func schedule(_ node: NodeID, at instant: EngineInstant) {
        due[node] = min(due[node] ?? instant, instant)
    }

    mutating func advanceWalks(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        for node in due.filter({ $0.value <= now }).keys.sorted() {
            due[node] = nil
            if let since = windows[node]?.gapSince {
                if let step = pull(from: node, at: now) {
                    switch step {
                    case .wait(let instant): schedule(node, at: instant)
                    case .ask(let effect, let again):
                        effects.append(effect)
                        schedule(node, at: again)
                    }
                } else if windows[node]?.window.hasGap == false {
                    // Others say so, and the origin itself does not know of it.
                    windows[node]?.heardEnd = 0
                    noteGap(node, at: now)
                } else if since + configuration.gapGrace <= now {
                    wantWalk(with: node, notBefore: progress[node]?.notBeforeForHole ?? .zero, at: now)
                } else {
                    schedule(node, at: since + configuration.gapGrace)
                }
            }
            guard let instant = progress[node]?.walkDue else { continue }
            if instant > now {
                schedule(node, at: instant)
            } else if let effect = beginDueWalk(with: node, summary, at: now) {
                effects.append(effect)
            }
        }
        return effects
    }

    private mutating func beginDueWalk(
        with node: NodeID, _ summary: TreeSummary, at now: EngineInstant
    ) -> Effect? {
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
        let window = windows[peer.nodeID]?.window
        walking[peer.nodeID] = WalkUnderWay(end: window?.end, lossCount: window?.lossCount ?? 0)
        return .walk(peer)
    }

    private mutating func backOff(_ node: NodeID, wasProductive: Bool, at now: EngineInstant) {
        guard peer(node) != nil else { return }
        var state = progress[node] ?? PeerProgress()
        let interval =
            wasProductive
            ? configuration.walkInterval
            : min((state.interval ?? configuration.walkInterval / 2) * 2, configuration.maxWalkInterval)
        state.interval = interval
        state.notBeforeForHole = now + interval
        state.notBeforeForRoot = now + configuration.maxWalkInterval
        progress[node] = state
    }
}
