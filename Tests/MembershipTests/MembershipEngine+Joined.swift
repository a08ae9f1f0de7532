import Transport

@testable import Membership

extension MembershipEngine {
    /// A node in the midst of a cluster: `members` are confirmed and alive, as after everybody joined long ago. Entries
    /// that could not be members (this node, unusable names) are left out.
    init(
        configuration: MembershipConfiguration = MembershipConfiguration(), local: LocalMember,
        joinedWith members: [AliveBody],
        seed: UInt64, at now: EngineInstant = .zero
    ) {
        self.init(configuration: configuration, local: local, seed: seed, at: now)
        for alive in members where alive.node != local.name && table.slot(named: alive.node) == nil {
            guard let versions = ProtocolVersions(bytes: alive.versions), LocalMember.isUsable(name: alive.node) else {
                continue
            }
            var record = MemberRecord(alive, versions: versions, at: now)
            record.isConfirmed = true
            _ = table.insert(record, in: .live, using: &generator)
        }
    }

    /// How many entries are in the queue or table of that name; -1 when there is none of that name.
    func occupancy(of name: String) -> Int { occupancy.first { $0.name == name }?.count ?? -1 }
}
