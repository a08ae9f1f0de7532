package import Transport

/// One known member, as `MembershipEngine.members` and the events show it.
package struct Member: Hashable, Sendable {
    package let name: String
    /// The identity behind the name; `nil` for foreign members that do not tell one.
    package let nodeID: NodeID?
    package let address: PeerAddress
    package let tags: MemberTags
    package let incarnation: UInt32
    package let status: MemberStatus
    /// Whether this node has reached the member itself. Until then it is hearsay: not to be persisted, at most logged
    /// quietly.
    package let isConfirmed: Bool
    /// Another name of its node has come since from another address, and this one has answered nothing: the node was renamed
    /// and has moved, unless this one answers yet. Then its database was copied.
    package let isReplaced: Bool
    /// When it last answered us; on the engine's own clock (`MembershipEngine.ownTime(at:)`).
    package let lastSeen: EngineInstant?
    /// When it got its status; on the engine's own clock.
    package let statusChangedAt: EngineInstant
}

/// What is known of a member's life.
package enum MemberStatus: String, Hashable, Sendable, CaseIterable {
    case alive
    /// It did not answer; failed unless it refutes in time.
    case suspect
    /// It has said that it is going. Only ever this node itself, as long as members speak memberlist alone.
    case leaving
    /// It said that it is going, and went.
    case left
    /// It stopped answering.
    case failed

    /// Worth sending to.
    package var isLiving: Bool { self == .alive || self == .suspect }
}

/// Who this node is: what it tells the others of itself.
package struct LocalMember: Hashable, Sendable {
    /// Longest member name, in bytes, ours and others'.
    package static let maxNameBytes = 128

    package let name: String
    package let nodeID: NodeID
    /// Where others reach this node.
    package let address: PeerAddress
    /// Further addresses that lead here, so that a seed with one of them is not dialled.
    package let otherAddresses: [PeerAddress]
    /// With the identity tag.
    package let tags: MemberTags
    /// The tags as they are sent.
    package let meta: [UInt8]

    /// Adds the identity to `tags`. Throws when the name or the address cannot be used, or the tags are too long.
    package init(
        name: String, nodeID: NodeID, address: PeerAddress, otherAddresses: [PeerAddress] = [],
        tags: MemberTags = MemberTags()
    ) throws(LocalMemberError) {
        guard Self.isUsable(name: name) else { throw .unusableName(name) }
        guard Self.isUsable(address: address) else { throw .unusableAddress(address) }
        self.name = name
        self.nodeID = nodeID
        self.address = address
        self.otherAddresses = otherAddresses
        (self.tags, meta) = try Self.sealed(tags, nodeID)
    }

    /// Whether `address` leads to this node.
    func isOwn(_ other: PeerAddress) -> Bool { other == address || otherAddresses.contains(other) }

    /// Printable ASCII only. A name goes into logs as it is, and Swift takes texts of different bytes that look alike
    /// for the same, which would make two nodes one.
    static func isUsable(name: String) -> Bool {
        (1...maxNameBytes).contains(name.utf8.count) && name.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }

    static func isUsable(address: PeerAddress) -> Bool { address.port != 0 && !address.isUnspecified }

    private static func sealed(_ tags: MemberTags, _ nodeID: NodeID) throws(LocalMemberError) -> (MemberTags, [UInt8]) {
        var tags = tags
        tags.values[MemberTags.Key.node] = nodeID.description
        do throws(MemberTagsError) { return (tags, try tags.meta()) } catch { throw .unusableTags(error) }
    }
}

/// Why this node cannot present itself.
package enum LocalMemberError: Error, Hashable, Sendable {
    /// Empty, longer than `LocalMember.maxNameBytes`, or with something else than printable ASCII.
    case unusableName(String)
    /// Port 0, or an address that nobody can dial.
    case unusableAddress(PeerAddress)
    case unusableTags(MemberTagsError)
}
