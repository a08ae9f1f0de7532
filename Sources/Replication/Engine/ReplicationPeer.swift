package import Transport

/// A member that replicates.
package struct ReplicationPeer: Hashable, Sendable {
    package var nodeID: NodeID
    package var address: PeerAddress
    /// The versions of the replication channel that the member says it speaks.
    package var versions: ClosedRange<UInt8>

    package init(
        nodeID: NodeID, address: PeerAddress, versions: ClosedRange<UInt8> = ReplicationMessage.versions
    ) {
        self.nodeID = nodeID
        self.address = address
        self.versions = versions
    }
}
