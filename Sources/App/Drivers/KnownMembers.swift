internal import Store
internal import Transport

/// The members that the database keeps for the next start.
extension Store {
    /// Those whose addresses can be read.
    func keptMembers() async throws -> [(name: String, address: PeerAddress)] {
        try await knownMembers().compactMap { member in
            PeerAddress(member.address).map { (member.name, $0) }
        }
    }

    func keep(_ members: [(name: String, nodeID: NodeID?, address: PeerAddress)]) async throws {
        try await saveKnownMembers(
            members.map { KnownMember(name: $0.name, nodeID: $0.nodeID, address: "\($0.address)") })
    }
}
