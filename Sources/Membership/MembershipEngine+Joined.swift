package import Transport

extension MembershipEngine {
    /// A node in the midst of a cluster: `members` are confirmed and alive, as after everybody joined long ago. For
    /// simulations and tests; entries that could not be members (this node, unusable names) are left out.
    package init(
        configuration: MembershipConfiguration = .lan, local: LocalMember, joinedWith members: [AliveBody],
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
}
