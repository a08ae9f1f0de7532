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
    /// For 10 s something has kept this node from what the peer has. Told once, until it is over.
    case obstructed(ReplicationPeer, Obstacle)
    /// And that is over: everything that the peer had is here.
    case unobstructed(ReplicationPeer)
    /// Rows were merged whose writer's clock was further ahead than is allowed.
    case clockAhead(count: Int, furthest: Stamp)
    /// A peer has this node's id, or that of another peer: a database was copied. Nothing is exchanged with it.
    case sameNode(ReplicationPeer)
    /// This node leaves, and this is known of what it has.
    case handedOver(HandOver.End)
    /// Messages come in a version of the replication channel that this node does not know; told once for each version.
    case unknownVersion(UInt8, from: PeerAddress?)
    /// The peer speaks no version that this node speaks to the others: it is left out. Told once while it is there.
    case versionLeftOut(ReplicationPeer)
}
