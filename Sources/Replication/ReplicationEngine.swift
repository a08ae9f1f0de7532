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
    /// Sorted by node id.
    package internal(set) var peers: [ReplicationPeer] = []
    /// Nobody was heard of who may still turn out to be a peer.
    var arePeersComplete = true
    /// Since when there has been a peer.
    var peersSince: EngineInstant?

    let configuration: ReplicationConfiguration
    let stream: StreamID
    var sequence: UInt64 = 0
    var generator: SeededGenerator
    var readiness = Readiness.undecided
    /// Everything that a ready donor had committed is here.
    package internal(set) var isSynced = false

    var windows: [NodeID: FollowedStream] = [:]
    /// Origins in the order in which they were first seen, for eviction.
    var windowOrder: [NodeID] = []
    var progress: [NodeID: PeerProgress] = [:]
    /// When something is due for a peer; absent for most.
    var due: [NodeID: EngineInstant] = [:]
    var walking: [NodeID: WalkUnderWay] = [:]
    var merges: [MergeToken: [MergingMessage]] = [:]
    var mergeCount: UInt64 = 0
    var nextHeartbeat = EngineInstant.zero
    /// Streams that moved lately, and when: heartbeats tell their heads.
    var moved: [NodeID: EngineInstant] = [:]
    /// What peers may still ask for.
    var recent: RecentChanges
    var pullWindowEnd = EngineInstant.zero
    var pullBytesLeft = 0

    /// `start` must be greater at each start of this node: a reading of its hybrid clock.
    package init(configuration: ReplicationConfiguration, nodeID: NodeID, start: UInt64, seed: UInt64) {
        self.configuration = configuration
        stream = StreamID(origin: nodeID, start: start)
        generator = SeededGenerator(seed: seed)
        recent = RecentChanges(maxBytes: configuration.maxRecentBytes)
    }

    /// Peers whose streams have holes now. Nobody closes those of one that is gone; they count again when it is back.
    package var openGapCount: Int { peers.count { windows[$0.nodeID]?.gapSince != nil } }

    /// How full everything is that others can fill.
    package var occupancy: [Occupancy] {
        [
            Occupancy("streams", windows.count, limit: configuration.maxStreams),
            Occupancy(
                "numbers beyond holes", windows.values.reduce(0) { max($0, $1.window.pendingCount) },
                limit: StreamWindow.maxPending),
            Occupancy("peers in progress", progress.count, limit: peers.count),
            Occupancy("peers with something due", due.count, limit: peers.count),
            Occupancy("streams that moved", moved.count, limit: configuration.maxStreams),
            Occupancy("walks led", walking.count, limit: configuration.maxWalks + 1),
            Occupancy("bytes of recent changes", recent.bytes, limit: configuration.maxRecentBytes),
        ]
    }

    /// Whether the todo endpoints may answer.
    package var isReady: Bool {
        if case .ready = readiness { return true }
        return false
    }

    /// Earliest instant at which `advance(to:)` has work.
    package var nextDeadline: EngineInstant {
        var earliest = nextHeartbeat
        if let sync = syncDeadline { earliest = min(earliest, sync) }
        for instant in due.values { earliest = min(earliest, instant) }
        return earliest
    }

    /// Does what is due. `now` never decreases between calls.
    package mutating func advance(to now: EngineInstant, summary: TreeSummary) -> [Effect] {
        var effects: [Effect] = []
        if now >= nextHeartbeat { effects.append(heartbeat(summary, at: now)) }
        effects += advanceSync(summary, at: now)
        effects += advanceWalks(summary, at: now)
        return effects
    }

    /// The replicating members as membership knows them now, without this node. `areComplete`: nobody was heard of whom
    /// membership is still asking.
    package mutating func setPeers(
        _ newPeers: [ReplicationPeer], areComplete: Bool = true, summary: TreeSummary, at now: EngineInstant
    ) -> [Effect] {
        var effects: [Effect] = []
        arePeersComplete = areComplete
        let known = Set(peers.map(\.nodeID))
        peers = []
        for peer in newPeers.sorted(by: { ($0.nodeID, $0.address) < ($1.nodeID, $1.address) }) {
            // Two nodes on copies of one database: their stamps and streams cannot be told apart.
            if peer.nodeID == stream.origin || peer.nodeID == peers.last?.nodeID {
                effects.append(.emit(.sameNode(peer)))
            } else {
                peers.append(peer)
            }
        }
        peersSince = peers.isEmpty ? nil : peersSince ?? now
        let current = Set(peers.map(\.nodeID))
        let gone = known.subtracting(current)
        for node in gone.sorted() {
            progress[node] = nil
            due[node] = nil
        }
        syncLost(gone)
        let newcomers = current.subtracting(known)
        guard !newcomers.isEmpty else { return effects + advanceSync(summary, at: now) }
        for node in newcomers.sorted() { noteGap(node, at: now) }
        // A newcomer learns our head and root at once rather than at the next tick.
        effects.append(heartbeat(summary, at: now))
        return effects + advanceSync(summary, at: now)
    }

    /// The transport says that a peer gets our broadcasts from now on: it missed the earlier heartbeats.
    package mutating func peerConnected(at now: EngineInstant) -> [Effect] {
        nextHeartbeat = min(nextHeartbeat, now + configuration.connectHeartbeatDelay)
        return []
    }

    func peer(_ node: NodeID) -> ReplicationPeer? {
        var low = 0
        var high = peers.count
        while low < high {
            let middle = (low + high) / 2
            if peers[middle].nodeID < node { low = middle + 1 } else { high = middle }
        }
        return low < peers.count && peers[low].nodeID == node ? peers[low] : nil
    }

    mutating func heartbeat(_ summary: TreeSummary, at now: EngineInstant) -> Effect {
        nextHeartbeat = now + configuration.heartbeatInterval
        let message = ReplicationMessage.encode(
            .init(
                stream: stream, head: sequence, summary: summary, isReady: isReady, isSynced: isSynced,
                others: movedHeads(at: now)))
        return .broadcast(message, BroadcastOptions(replacing: "heartbeat", isRepeated: false))
    }

    /// How far each peer is from this node, for `/health/info`; sorted by node id.
    package func peerStatus(at now: EngineInstant) -> [PeerReplicationStatus] {
        peers.map { peer in
            let state = progress[peer.nodeID]
            return PeerReplicationStatus(
                nodeID: peer.nodeID, lag: lag(of: peer.nodeID, state, at: now))
        }
    }
}

extension ReplicationEngine {
    /// Roots differ for moments whenever somebody writes; only beyond this do they show that something is missing.
    private static let usualDifference: Duration = .seconds(10)

    private func lag(of node: NodeID, _ state: PeerProgress?, at now: EngineInstant) -> Duration? {
        guard let state, state.lastHeartbeat != nil else { return nil }
        if let since = windows[node]?.gapSince { return now - since }
        guard let since = state.differsSince, now - since > Self.usualDifference else { return .zero }
        return now - since
    }
}

/// Things the engine decided or noticed.
package enum ReplicationEvent: Hashable, Sendable {
    case syncStarted(donor: ReplicationPeer)
    /// The todo endpoints open. `isSynced`: a donor's data is here, or there is no donor.
    case becameReady(isSynced: Bool)
    /// A node that opened without a sync has made up for it.
    case becameSynced
    case walkFinished(ReplicationPeer, WalkOutcome)
    case walkFailed(ReplicationPeer, WalkError)
    /// Rows were left out: their writer's clock is further ahead than allowed.
    case clockAhead(count: Int, furthest: Stamp)
    /// A peer has this node's id, or that of another peer: a database was copied. Nothing is exchanged with it.
    case sameNode(ReplicationPeer)
}

/// Why a walk that this node led did not end well.
package enum WalkError: Error, Hashable, Sendable {
    case exchange(ExchangeError)
    case refused(WalkMessage.Refusal)
    /// The peer broke the protocol.
    case malformed
    /// Our own store failed.
    case store
}

/// What `/health/info` says of one peer.
package struct PeerReplicationStatus: Hashable, Sendable {
    package var nodeID: NodeID
    /// For how long something that it has has been missing here, as far as its heartbeats and the numbers of its messages
    /// tell; zero when nothing is, `nil` before its first heartbeat.
    package var lag: Duration?

    package init(nodeID: NodeID, lag: Duration?) {
        self.nodeID = nodeID
        self.lag = lag
    }
}

/// Counts since the start.
package struct ReplicationStats: Hashable, Sendable {
    /// Changes messages sent by broadcast and by push, those passed on among them.
    package var sentMessages = 0
    package var pushedMessages = 0
    /// Rows that were committed here and told to the peers.
    package var sentRows = 0
    /// Changes messages that came, and the rows of those that were no duplicates.
    package var receivedMessages = 0
    package var receivedRows = 0
    package var duplicateMessages = 0
    package var malformedMessages = 0
    package var relayedMessages = 0
    /// Rows that were news, whichever way they came.
    package var mergedRows = 0
    /// Rows not merged when they came, since their writer's clock was too far ahead.
    package var aheadRows = 0
    package var failedMerges = 0
    /// Holes that showed in the streams of others.
    package var gaps = 0
    /// Those of them that closed after a pull and without a walk.
    package var pulledGaps = 0
    package var sentPulls = 0
    package var receivedPulls = 0
    /// Messages sent again since a peer pulled them.
    package var answeredPulls = 0
    /// Walks that this node led.
    package var startedWalks = 0
    package var productiveWalks = 0
    package var failedWalks = 0
    /// Of walks that this node led and that ended well: how often it waited for the peer.
    package var walkRoundTrips = 0
    /// Walks that peers led with this node and that ended well.
    package var servedWalks = 0
    /// Rows of walks that ended well, led or served.
    package var walkRowsSent = 0
    package var walkRowsReceived = 0

    /// Nothing yet.
    package init() {}
}
