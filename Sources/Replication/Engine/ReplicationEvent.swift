package import Transport

/// Things the engine decided or noticed.
package enum ReplicationEvent: Hashable, Sendable {
    case syncStarted(donor: ReplicationPeer)
    /// Clients may be answered. `isSynced`: a donor's data is here, or there is no donor.
    case becameReady(isSynced: Bool)
    /// A node that opened without a sync has made up for it.
    case becameSynced
    case walkFinished(ReplicationPeer, WalkOutcome)
    case walkFailed(ReplicationPeer, WalkError)
    /// Rows were left out: their writer's clock is further ahead than allowed.
    case clockAhead(count: Int, furthest: Stamp)
    /// A peer has this node's id, or that of another peer: a database was copied. Nothing is exchanged with it.
    case sameNode(ReplicationPeer)
    /// Messages come in a version of the replication channel that this node does not know; told once for each version.
    case unknownVersion(UInt8, from: PeerAddress?)
    /// The peer speaks no version that this node speaks to the others: it is left out. Told once while it is there.
    case versionLeftOut(ReplicationPeer)
}
