package import Transport

/// What `/health/info` says of one peer.
package struct PeerReplicationStatus: Hashable, Sendable {
    package var nodeID: NodeID
    /// For how long something that it has has been missing here, as far as its heartbeats and the numbers of its messages
    /// tell; zero when nothing is, `nil` before its first heartbeat.
    package var lag: Duration?
    /// How far its wall clock is ahead of this node's; `nil` before its first heartbeat.
    package var clockOffsetMilliseconds: Int64?

    package init(nodeID: NodeID, lag: Duration?, clockOffsetMilliseconds: Int64? = nil) {
        self.nodeID = nodeID
        self.lag = lag
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
    }
}
