package import Transport

/// Two nodes with one name.
package struct NameConflict: Hashable, Sendable {
    /// One of the two.
    package struct Party: Hashable, Sendable {
        package var nodeID: NodeID?
        package var address: PeerAddress

        package init(nodeID: NodeID?, address: PeerAddress) {
            self.nodeID = nodeID
            self.address = address
        }
    }

    package var name: String
    /// Who has the name here and keeps it as long as it answers.
    package var holder: Party
    /// Who wants it and is refused.
    package var claimant: Party
    /// Whether the name is this node's own.
    package var isOwnName: Bool

    package init(name: String, holder: Party, claimant: Party, isOwnName: Bool) {
        self.name = name
        self.holder = holder
        self.claimant = claimant
        self.isOwnName = isOwnName
    }
}
