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

    /// A member that tells no versions speaks the first; one that tells them so that nobody understands it, none.
    private var replicationVersions: ClosedRange<UInt8>? {
        guard let tag = tags.values[MemberTags.Key.replication] else { return 1...1 }
        return VersionChoice.versions(ofTag: tag)
    }

    /// The member as a peer of replication; `nil` for one that does not replicate.
    var replicationPeer: ReplicationPeer? {
        guard let nodeID, channels.has(.replication), let versions = replicationVersions else { return nil }
        return ReplicationPeer(nodeID: nodeID, address: address, versions: versions)
    }
}

extension MemberTags {
    /// What every node of this program tells of itself: that it replicates, and in which versions.
    package static let node = MemberTags([
        Key.channels: "mr", Key.replication: VersionChoice.tag(of: ReplicationMessage.versions),
    ])
}
