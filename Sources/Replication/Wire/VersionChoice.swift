/// Which version of the replication channel a node speaks, among those that it can and its peers say they can.
///
/// A message goes to all peers at once, so there is one version for all: of the node's own versions the one that most peers
/// speak, the highest where several are spoken by as many. That is the highest common one wherever there is a common one; so
/// a cluster that is upgraded node by node goes on in the old version until the last node is new. A peer that does not speak
/// the chosen version is left out.
package struct VersionChoice: Hashable, Sendable {
    package let version: UInt8
    /// Those that speak it, in the order given.
    package let peers: [ReplicationPeer]
    /// Those that do not.
    package let leftOut: [ReplicationPeer]

    /// `own`: what this node speaks.
    package init(among peers: [ReplicationPeer], own: ClosedRange<UInt8> = ReplicationMessage.versions) {
        var best = (version: own.upperBound, speakerCount: -1)
        for version in own {
            let count = peers.count { $0.versions.contains(version) }
            if count >= best.speakerCount { best = (version, count) }
        }
        version = best.version
        self.peers = peers.filter { $0.versions.contains(best.version) }
        leftOut = peers.filter { !$0.versions.contains(best.version) }
    }
}

extension VersionChoice {
    /// What a member tells of its versions in its tags: the lowest and the highest, such as `1-2`.
    package static func tag(of versions: ClosedRange<UInt8>) -> String {
        "\(versions.lowerBound)-\(versions.upperBound)"
    }

    /// The versions of a tag; `nil` when it is none.
    package static func versions(ofTag tag: String) -> ClosedRange<UInt8>? {
        let bounds = tag.split(separator: "-", omittingEmptySubsequences: false).map { UInt8($0) }
        guard bounds.count == 2, let lowest = bounds[0], let highest = bounds[1], lowest <= highest else { return nil }
        return lowest...highest
    }
}
