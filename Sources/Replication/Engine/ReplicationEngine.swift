package import Transport

/// Brings every write to every replica: eager broadcast of what is committed here, merging of what arrives, and walks of
/// the hash tree where something was lost.
///
/// A plain value without I/O: feed it inputs and the time, carry out the effects it returns, and call `advance(to:)` no
/// later than `nextDeadline`. `summary`, where it is asked for, is the root and count of the store as of now. Same seed
/// and inputs, same effects.
package struct ReplicationEngine: Sendable {
    package enum Effect: Hashable, Sendable {
        case broadcast([UInt8], BroadcastOptions)
        /// Broadcast this, in that version, with what the wall clock shows.
        case heartbeat(ReplicationMessage.Heartbeat, version: UInt8)
        /// Best effort, to one peer.
        case send([UInt8], to: PeerAddress)
        /// Too large to broadcast: send it as the only message of an exchange with each of these peers.
        case push([UInt8], to: [PeerAddress])
        /// Merge the rows, then call `merged` or `mergeFailed` with the token.
        case merge(MergeToken, [EncodedRow])
        /// Lead a walk with this peer, then call `walkFinished` or `walkFailed`.
        case walk(ReplicationPeer)
        case emit(ReplicationEvent)
    }

    package struct MergeToken: Hashable, Sendable { let number: UInt64 }

    package internal(set) var stats = ReplicationStats()
    let configuration: ReplicationConfiguration
    var generator: SeededGenerator
    var own: OwnStream
    var table = PeerTable()
    var streams: Streams
    var merges = MergeLedger()
    var readiness = Readiness()
    var clocks = PeerClocks()
    var handOver: HandOver?
    var hearsay = Hearsay()

    /// `start` must be greater at each start of this node; the store numbers them.
    package init(configuration: ReplicationConfiguration, nodeID: NodeID, start: UInt64, seed: UInt64) {
        self.configuration = configuration
        generator = SeededGenerator(seed: seed)
        own = OwnStream(StreamID(origin: nodeID, start: start), configuration)
        streams = Streams(limit: configuration.maxStreams)
    }

    /// Sorted by node id.
    package var peers: [ReplicationPeer] { table.peers }

    /// Whether clients may be answered.
    package var isReady: Bool { readiness.isReady }

    /// Everything that a synced donor had committed is here, and nothing has kept this node from what a peer has since.
    package var isSynced: Bool { readiness.isSynced && !hasObstacle }

    /// Peers whose streams have holes now. Nobody closes those of one that is gone; they count again when it is back.
    package var openGapCount: Int { peers.count { streams[$0.nodeID]?.gapSince != nil } }

    /// How full everything is that others can fill.
    package var occupancy: [Occupancy] {
        [
            Occupancy("streams", streams.count, limit: configuration.maxStreams),
            Occupancy("numbers beyond holes", streams.maxPendingCount, limit: StreamWindow.maxPending),
            Occupancy("states of peers", table.stateCount, limit: table.count + maxWalks),
            Occupancy("peers with something due", table.timerCount, limit: table.count),
            Occupancy("streams that moved", streams.movedCount, limit: configuration.maxStreams),
            Occupancy("clocks of others", clocks.count, limit: PeerClocks.limit),
            Occupancy("tellers of hearsay", hearsay.count, limit: Hearsay.maxTellers),
            Occupancy("walks led", table.walkCount, limit: maxWalks),
            Occupancy("bytes of recent changes", own.recentBytes, limit: configuration.maxRecentBytes),
        ]
    }

    /// Those that differing roots bring about, that of the first sync, those of hearsay, and those of the hand-over.
    private var maxWalks: Int { configuration.maxWalks + 1 + Hearsay.maxWalks + HandOver.maxWalks }

    /// Earliest instant at which `advance(to:)` has work.
    package var nextDeadline: EngineInstant {
        var earliest = own.nextHeartbeat
        if let sync = readiness.sync, !isLeaving { earliest = min(earliest, sync.deadline(table, configuration)) }
        if let timer = table.earliestTimer { earliest = min(earliest, timer) }
        if let leaving = handOver?.nextDeadline { earliest = min(earliest, leaving) }
        if let told = hearsay.nextDeadline { earliest = min(earliest, told) }
        return earliest
    }

    /// Does what is due. `now` never decreases between calls.
    package mutating func advance(to now: EngineInstant, summary: TreeSummary) -> [Effect] {
        var effects: [Effect] = []
        if now >= own.nextHeartbeat {
            effects += lookForObstacles(at: now)
            effects.append(heartbeat(summary, at: now))
        }
        effects += advanceSync(summary, at: now)
        effects += advancePeers(summary, at: now)
        effects += advanceHearsay(summary, at: now)
        effects += advanceHandOver(summary, at: now)
        return effects
    }

    /// The replicating members as membership knows them now, without this node. `areComplete`: nobody was heard of whom
    /// membership is still asking.
    package mutating func setPeers(
        _ newPeers: [ReplicationPeer], areComplete: Bool = true, summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        let change = table.replace(with: newPeers, own: own.id.origin, areComplete: areComplete, at: now)
        var effects: [Effect] = change.copies.map { .emit(.sameNode($0)) }
        effects += change.leftOut.map { .emit(.versionLeftOut($0)) }
        readiness.update { $0.lost(change.gone) }
        for node in change.newcomers {
            table.update(node) {
                $0.report.began(at: now)
                $0.standing.began(at: now)
            }
            noteGap(node, at: now)
        }
        // A newcomer learns our head and root at once rather than at the next tick.
        if !change.newcomers.isEmpty { effects.append(heartbeat(summary, at: now)) }
        return effects + advanceSync(summary, at: now)
    }

    /// The transport says that a peer gets our broadcasts from now on: it missed the earlier heartbeats.
    package mutating func peerConnected(at now: EngineInstant) -> [Effect] {
        own.hastenHeartbeat(to: now + configuration.connectHeartbeatDelay)
        return []
    }

    /// How far each peer is from this node, for `/health/info`; sorted by node id. `wallMilliseconds`: what this node's wall
    /// clock shows.
    package func peerStatus(wallMilliseconds: Int64, at now: EngineInstant) -> [PeerReplicationStatus] {
        peers.map { peer in
            PeerReplicationStatus(
                nodeID: peer.nodeID, lag: lag(of: peer.nodeID, at: now),
                clockOffsetMilliseconds: clocks.offset(
                    of: peer.nodeID, wallMilliseconds: wallMilliseconds, at: now))
        }
    }

    /// Whether a heartbeat of the peer has come.
    package func isHeard(_ node: NodeID) -> Bool { table.state(node).report.isHeard }

    /// What the wall clock of a node showed a moment ago. Zero says nothing, and nobody but peers is listened to.
    package mutating func noteClock(of node: NodeID, _ wallMilliseconds: UInt64, at now: EngineInstant) {
        guard table.has(node), wallMilliseconds > 0 else { return }
        clocks.note(node, wallMilliseconds, at: now)
    }

    /// What the clocks of the cluster make of this node's, which shows `wallMilliseconds`.
    package func judgeClock(
        wallMilliseconds: Int64, at now: EngineInstant
    ) -> (hold: ClockHold, state: ClockState) {
        // The table alone: whatever the closure holds is copied for each clock.
        clocks.judge(wallMilliseconds: wallMilliseconds, at: now) { [table] in table.has($0) }
    }

    /// Roots differ for moments whenever somebody writes, and heartbeats are lost; only beyond this do they show that
    /// something is missing.
    private static let usualDifference: Duration = .seconds(10)

    /// Peers up to which each heartbeat goes to all of them. In a larger cluster it goes to a few, and who hears nothing of
    /// one peer for a while learns nothing from that.
    static let maxHeardPeers = 30

    /// Whether nothing tells any more what this peer has.
    func isSilent(_ node: NodeID, at now: EngineInstant) -> Bool {
        isSilent(node, for: Self.usualDifference, at: now)
    }

    /// Whether it is time to look what this peer has: a walk ends well before silence counts.
    func isQuiet(_ node: NodeID, at now: EngineInstant) -> Bool {
        isSilent(node, for: Self.usualDifference / 2, at: now)
    }

    private func isSilent(_ node: NodeID, for time: Duration, at now: EngineInstant) -> Bool {
        table.count <= Self.maxHeardPeers && table.state(node).report.silence(at: now) > time
    }

    private func lag(of node: NodeID, at now: EngineInstant) -> Duration? {
        let report = table.state(node).report
        // A witness has shown that nothing is missing from before then.
        let witnessed = table.state(node).standing.witnessedUntil
        func missing(since instant: EngineInstant) -> Duration { now - max(instant, witnessed ?? instant) }
        let silence = report.silence(at: now)
        var lag = isSilent(node, at: now) ? min(silence, witnessed.map { now - $0 } ?? silence) : .zero
        if lag <= Self.usualDifference { lag = .zero }
        if let since = streams[node]?.gapSince { lag = max(lag, missing(since: since)) }
        if let since = report.differsSince, missing(since: since) > Self.usualDifference {
            lag = max(lag, missing(since: since))
        }
        if let since = table.state(node).standing.missingSince { lag = max(lag, now - since) }
        return report.isHeard || lag > .zero ? lag : nil
    }
}
