internal import Membership
internal import Transport

extension Connection {
    /// In order of the names. A row whose address cannot be read is left out.
    func knownMembers() throws(StoreError) -> [KnownMember] {
        let select = try Statement("SELECT name, node_id, address FROM members ORDER BY name", on: self)
        var members: [KnownMember] = []
        while try select.step() {
            guard let address = PeerAddress(select.text(2)) else { continue }
            members.append(
                KnownMember(
                    name: select.text(0), nodeID: select.isNull(1) ? nil : NodeID(select.unsigned(1)),
                    address: address))
        }
        return members
    }

    /// Within the caller's transaction.
    func replaceKnownMembers(with members: [KnownMember]) throws(StoreError) {
        try execute("DELETE FROM members")
        let insert = try Statement("REPLACE INTO members (name, node_id, address) VALUES (?1, ?2, ?3)", on: self)
        for member in members {
            try insert.bind(member.name, at: 1)
            if let nodeID = member.nodeID {
                try insert.bind(nodeID.rawValue, at: 2)
            } else {
                try insert.bindNull(at: 2)
            }
            try insert.bind(member.address.description, at: 3)
            try insert.run()
        }
    }
}
