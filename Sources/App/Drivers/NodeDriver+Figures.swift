internal import Cluster
internal import Membership
internal import Replication
internal import Transport

extension NodeDriver {
    /// What membership has counted since the start, and how things stand.
    func membershipFigures() -> MembershipFigures {
        look { core, _ in
            let engine = core.membership
            let counts = MemberStatus.allCases.map { ($0, engine.confirmedCount(of: $0)) }
            return MembershipFigures(
                stats: engine.stats, malformedMessages: core.malformedMembershipMessages,
                members: Dictionary(uniqueKeysWithValues: counts), unconfirmedMembers: engine.unconfirmedCount,
                localHealth: engine.localHealth,
                names: Dictionary(
                    engine.livingMembers.compactMap { member in member.nodeID.map { ($0, member.name) } }
                ) { first, _ in first })
        }
    }

    /// What replication has counted since the start, and how things stand.
    func replicationFigures() -> ReplicationFigures {
        look { core, moment in
            ReplicationFigures(
                stats: core.replication.stats, isReady: core.isReady, isSynced: core.replication.isSynced,
                openGaps: core.replication.openGapCount, traffic: core.traffic,
                peers: core.replication.peerStatus(wallMilliseconds: moment.wallMilliseconds, at: moment.time),
                clock: core.clockState, obstacles: core.replication.obstacles)
        }
    }
}

/// What membership has to tell for metrics.
struct MembershipFigures: Sendable {
    var stats: MembershipStats
    /// Messages and questions on exchanges that could not be read.
    var malformedMessages: Int
    /// Confirmed members with each status, this node among them.
    var members: [MemberStatus: Int]
    /// Members heard of whom nobody here has reached yet.
    var unconfirmedMembers: Int
    /// Lifeguard's multiplier, 0 when healthy.
    var localHealth: Int
    /// Of living members whose node is known.
    var names: [NodeID: String]
}

/// What replication has to tell for metrics.
struct ReplicationFigures: Sendable {
    var stats: ReplicationStats
    var isReady: Bool
    var isSynced: Bool
    /// Holes in the streams of others.
    var openGaps: Int
    var traffic: ExchangeTraffic
    /// How far each peer is from this node.
    var peers: [PeerReplicationStatus]
    var clock = ClockState.alone
    /// Peers that something keeps this node away from.
    var obstacles: [Obstacle: Int] = [:]
}
