package import Transport

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
