package import Membership
internal import Replication
internal import Transport

/// What a member's tags say for transport and replication.
extension Member {
    /// The channels that the member understands. A foreign agent tells none and takes no changes.
    var channels: Channels {
        let tag = tags.values[MemberTags.Key.channels] ?? "m"
        return tag.utf8.contains(UInt8(ascii: "r")) ? .all : .membership
    }

    /// The member as a peer of replication; `nil` for one that does not replicate.
    var replicationPeer: ReplicationPeer? {
        guard let nodeID, channels.has(.replication) else { return nil }
        // A member that tells no versions speaks the first.
        let versions = tags.values[MemberTags.Key.replication].flatMap { VersionChoice.versions(ofTag: $0) } ?? 1...1
        return ReplicationPeer(nodeID: nodeID, address: address, versions: versions)
    }
}

extension MemberTags {
    /// What every node of this program tells of itself: that it replicates, and in which versions.
    package static let node = MemberTags([
        Key.channels: "mr", Key.replication: VersionChoice.tag(of: ReplicationMessage.versions),
    ])
}
