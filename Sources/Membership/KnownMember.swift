package import Transport

/// A member known from an earlier run: whom to try at the start.
package struct KnownMember: Hashable, Sendable {
    package var name: String
    /// The identity behind the name; `nil` for foreign members that do not tell one.
    package var nodeID: NodeID?
    package var address: PeerAddress

    package init(name: String, nodeID: NodeID? = nil, address: PeerAddress) {
        self.name = name
        self.nodeID = nodeID
        self.address = address
    }
}
