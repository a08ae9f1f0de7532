package import Transport

/// A member that the cluster had when this node last heard of it: whom to try at the next start.
package struct KnownMember: Hashable, Sendable {
    package var name: String
    package var nodeID: NodeID?
    package var address: String

    package init(name: String, nodeID: NodeID?, address: String) {
        self.name = name
        self.nodeID = nodeID
        self.address = address
    }
}
