internal import Transport

/// The version of the replication channel that is spoken now, and which ones could not be agreed upon or understood: each
/// is told of once.
struct PeerVersions: Sendable {
    private(set) var spoken = ReplicationMessage.versions.upperBound
    /// Peers without a common version, as of now.
    private var leftOut: Set<NodeID> = []
    /// Versions that came and are not known.
    private var unknown: Set<UInt8> = []

    /// Peers without a common version.
    var leftOutCount: Int { leftOut.count }

    /// Chooses a version for these peers. `newlyLeftOut`: those that have none in common and had not been noted before.
    mutating func choose(
        among peers: [ReplicationPeer]
    ) -> (peers: [ReplicationPeer], newlyLeftOut: [ReplicationPeer]) {
        let choice = VersionChoice(among: peers)
        spoken = choice.version
        let news = choice.leftOut.filter { !leftOut.contains($0.nodeID) }
        leftOut = Set(choice.leftOut.map(\.nodeID))
        return (choice.peers, news)
    }

    /// A message of that version came; `true` when it is the first.
    mutating func noteUnknown(_ version: UInt8) -> Bool { unknown.insert(version).inserted }
}
