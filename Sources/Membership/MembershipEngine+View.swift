package import Transport

/// What the engine knows, for lists, metrics and the drivers.
extension MembershipEngine {
    /// This node.
    package var local: LocalMember { own.local }

    /// How often this node had to contradict what was said of it, plus one.
    package var incarnation: UInt32 { own.incarnation }

    /// Whether this node has said farewell.
    package var isLeaving: Bool { own.isLeaving }

    /// This node as it shows itself.
    package var localMember: Member { own.member(at: clock.time) }

    /// All known members by name, this node among them.
    package var members: [Member] {
        var members = table.slotsByName.map { table[$0].member }
        let place = members.firstIndex { $0.name > local.name } ?? members.endIndex
        members.insert(localMember, at: place)
        return members
    }

    /// The member of that name, this node included.
    package func member(named name: String) -> Member? {
        name == local.name ? localMember : table.slot(named: name).map { table[$0].member }
    }

    /// Members with that status, this node included.
    package func count(of status: MemberStatus) -> Int {
        table.count(of: status) + (localMember.status == status ? 1 : 0)
    }

    /// The same for confirmed members alone: not for those of whom it was only heard.
    package func confirmedCount(of status: MemberStatus) -> Int {
        table.confirmedCount(of: status) + (localMember.status == status ? 1 : 0)
    }

    /// Confirmed members that are alive or suspect, without this node; in no particular order, which follows from the seed.
    package var livingMembers: [Member] { table[.live].map { table[$0].member } }

    /// Confirmed members that failed, which are tried again.
    package var failedMembers: [Member] {
        table[.retired].map { table[$0].member }.filter { $0.status == .failed }
    }

    /// Members of earlier runs that have neither come nor left since this one began, which are tried too.
    package var missedMembers: [KnownMember] { joiner.missedMembers }

    /// Members heard of whom nobody here has reached yet.
    package var unconfirmedCount: Int { table.unconfirmedCount }

    /// No member by hearsay, no seed and no member of an earlier run is left that may be there and has not been asked.
    package var arePeersComplete: Bool { table.unconfirmedCount == 0 && !joiner.isAsking }

    /// Confirmed members that live, plus this node: the N of all formulas.
    package var clusterSize: Int { table.liveCount + 1 }

    /// Lifeguard's multiplier, 0 when healthy.
    package var localHealth: Int { prober.healthScore }

    /// How full everything is that others can fill.
    package var occupancy: [Occupancy] {
        let known = table.count + 1
        return [
            Occupancy("members", known, limit: configuration.maxMembers),
            Occupancy("unconfirmed members", table.unconfirmedCount, limit: configuration.maxUnconfirmedMembers),
            Occupancy("relays", prober.relayCount, limit: configuration.maxRelays),
            Occupancy("suspicions", suspicions.count, limit: known),
            Occupancy("reported conflicts", own.reportedConflictCount, limit: Self.maxReportedConflicts),
            Occupancy("probes", prober.probeCount, limit: Self.maxProbes(configuration, memberCount: known)),
            Occupancy("timers", clock.timerCount, limit: maxTimers + known),
        ]
    }

    /// Probes that can be under way at once: those of the longest deadline, at the quickest pace, and the confirming ones.
    private static func maxProbes(_ configuration: MembershipConfiguration, memberCount: Int) -> Int {
        let deadline = configuration.probeTimeout * configuration.localHealthLimit
        let pace = configuration.probeInterval / 2
        let windows = configuration.probeTimeout.wholeNanoseconds / configuration.confirmationInterval.wholeNanoseconds
        return Int(deadline.wholeNanoseconds / max(1, pace.wholeNanoseconds)) + 2
            + ConfirmationLane.maxPings(configuration, clusterSize: memberCount) * (Int(windows) + 2)
    }
}
