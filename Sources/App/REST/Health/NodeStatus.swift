internal import Membership

/// What `/health/info` tells of a node.
struct NodeStatus: Sendable, Equatable {
    struct Member: Sendable, Equatable {
        var name: String
        /// Where its transport listens, `host:port`.
        var address: String
        var status: MemberStatus
        /// Where its REST API listens, if it said so.
        var http: String?
        /// When it was last heard from, since 1970 in UTC; `nil` for the node itself, and when it never was.
        var lastSeenMilliseconds: Int64?
        /// How old the oldest change is that it has and this node has not; zero when there is none, `nil` when nobody
        /// knows.
        var lag: Duration?
        /// How far its wall clock is ahead of this node's; negative where it is behind, `nil` for the node itself, and
        /// before its first heartbeat.
        var clockOffset: Duration?
    }

    var nodeName: String
    var isReady: Bool
    /// `false` also for a node that opened without having finished its first synchronisation.
    var isSynced: Bool
    var isClusterMode: Bool
    /// The kind; `nil` for a node that stands alone.
    var transport: String?
    /// With the node itself.
    var members: [Member]
    var todoCount: Int
    /// Lower-case hexadecimal; equal fingerprints prove equal data.
    var fingerprint: String
}
