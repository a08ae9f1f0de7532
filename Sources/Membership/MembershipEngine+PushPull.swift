package import Transport

/// Whole views by stream: joining and anti-entropy, and how a node starts.
extension MembershipEngine {
    /// Why a push/pull was not merged.
    private enum MergeRefusal {
        /// Somebody in the list speaks no version that we do.
        case otherVersion
        /// The list has our name for another node that lives at another address.
        case nameConflict(NameConflict)
        /// This node is leaving.
        case leaving
    }

    /// This node's view, to be sent on an exchange: every member it has confirmed, and itself. Members known by hearsay
    /// only are not passed on.
    package func localState(isJoin: Bool) -> PushPull {
        let own = PushPullNode(member: own.alive, state: isLeaving ? .left : .alive)
        let others = table.slotsByName.lazy.map { table[$0] }.filter(\.isConfirmed).map { record in
            PushPullNode(member: record.alive, state: Self.wireState(record.status))
        }
        return PushPull(isJoin: isJoin, nodes: [own] + others)
    }

    private static func wireState(_ status: MemberStatus) -> PushPullNode.State {
        switch status {
        case .alive: .alive
        case .suspect: .suspect
        case .failed: .dead
        case .left, .leaving: .left
        }
    }

    /// Takes in the other side's view. `peer` is the address that we dialled, or that the exchange came from.
    ///
    /// A side that was dialled sends `localState` first, with the flag it received. A list with a member that speaks no
    /// version we do, or with our name for another node at another address, is refused as a whole and counted
    /// (`MembershipStats.refusedPushPulls`); so is every list once this node is leaving.
    package mutating func merge(
        _ remote: PushPull, from peer: PeerAddress, weDialled: Bool, at now: EngineInstant
    ) -> [Effect] {
        enter(now)
        let refusal = refusal(of: remote)
        if let refusal {
            stats.refusedPushPulls += 1
            if case .nameConflict(let conflict) = refusal { report(conflict) }
        } else {
            stats.pushPulls += 1
            let before = incarnation
            // Whoever knows nobody else has nobody to tell but those in this very list.
            let isNews = !weDialled || table.liveCount + table.unconfirmedCount > 0
            // Who comes to us is not in it.
            if !weDialled { table.tellOfUnconfirmed() }
            for node in remote.nodes { apply(node, from: peer, weDialled: weDialled, isNews: isNews) }
            if !weDialled { noteStart(of: remote, from: peer) }
            // The peer listed us wrongly. A second exchange tells it for certain; a datagram could be lost.
            if weDialled && incarnation != before { perform(.pushPull(with: peer, isJoin: false)) }
        }
        if weDialled { reportAttempt(Self.outcome(refusal), peer) }
        return takeEffects()
    }

    /// A `pushPull` effect that did not come to `merge`. Reports about push/pulls that no seed asked for do no harm.
    package mutating func pushPullFailed(
        with peer: PeerAddress, _ outcome: SeedJoiner.Outcome, at now: EngineInstant
    ) -> [Effect] {
        enter(now)
        reportAttempt(outcome, peer)
        return takeEffects()
    }

    mutating func pushPullTick(settling: Duration) {
        guard !isLeaving else { return }
        let regular = Formulas.pushPullInterval(configuration.pushPullInterval, memberCount: clusterSize)
        if settling < regular {
            clock.add(.pushPull(settling: settling * 2), in: generator.duration(in: (settling / 2)...settling))
        } else {
            clock.add(.pushPull(settling: settling), in: regular)
        }
        if let slot = table.randomLive(1, using: &generator, where: { $0.status == .alive }).first {
            perform(.pushPull(with: table[slot].address, isJoin: false))
        }
    }

    private func refusal(of remote: PushPull) -> MergeRefusal? {
        if isLeaving { return .leaving }
        for node in remote.nodes {
            // Lengths of 1 to 5 crash some agents: such a node is not taken, and does not keep the others out.
            if !node.member.versions.isEmpty && node.member.versions.count != 6 { continue }
            guard ProtocolVersions(bytes: node.member.versions)?.isCompatibleWithCurrent == true else {
                return .otherVersion
            }
        }
        let claimant = remote.nodes.first { node in
            node.member.node == local.name && (node.state == .alive || node.state == .suspect)
                && node.member.address != local.address
                && MemberTags(meta: node.member.meta)?.nodeID != local.nodeID
        }
        return claimant.map { .nameConflict(own.conflict(with: $0.member)) }
    }

    private static func outcome(_ refusal: MergeRefusal?) -> SeedJoiner.Outcome {
        switch refusal {
        case nil: .joined
        case .otherVersion: .otherVersion
        case .nameConflict: .nameConflict
        case .leaving: .noAnswer
        }
    }

    private mutating func apply(_ node: PushPullNode, from peer: PeerAddress, weDialled: Bool, isNews: Bool) {
        let member = node.member
        // An exchange that the peer opened comes from a port where it does not listen.
        let listener = weDialled ? peer : nil
        // Kept out before the rules, which would take a missing one to be current.
        guard member.versions.count == 6 else {
            stats.ignoredMessages += 1
            return
        }
        let source: Source =
            if weDialled {
                member.address == peer ? .itself : .dialled
            } else {
                member.address.host == peer.host ? .vouched : .anyone
            }
        switch node.state {
        case .alive:
            applyAlive(member, from: listener, source: source, isNews: isNews)
            // It answered our dial: no better proof.
            if weDialled, let slot = table.slot(named: member.node), table[slot].address == peer {
                let now = clock.time
                table.update(slot) { $0.lastSeen = now }
                confirm(slot)
            }
        case .left:
            applyDead(
                AccusationBody(incarnation: member.incarnation, node: member.node, from: member.node), from: listener,
                source: source)
        case .suspect, .dead:
            // Never failed at once on the word of a list: the member gets its chance to refute.
            applySuspect(
                AccusationBody(incarnation: member.incarnation, node: member.node, from: local.name), from: listener,
                source: source)
        }
    }

    // MARK: - Seeds and the start

    /// Begins to look for others: seeds as `host:port`, and members known from an earlier run. Call once; ends in the
    /// event `startDecided`. Own addresses are skipped. `hasData`: this node need not wait for what others may have.
    package mutating func join(
        seeds: [String], knownMembers: [KnownMember] = [], hasData: Bool = true, at now: EngineInstant
    ) -> [Effect] {
        enter(now)
        let others = knownMembers.filter { $0.name != local.name }.prefix(configuration.maxMembers)
        joiner.begin(seeds: seeds, knownMembers: Array(others), hasData: hasData, at: clock.time)
        runJoiner()
        return takeEffects()
    }

    /// The answer to `resolveSeed`; no addresses when the name service failed.
    package mutating func seedResolved(
        _ seed: String, addresses: [PeerAddress], at now: EngineInstant
    ) -> [Effect] {
        enter(now)
        let steps = joiner.resolved(
            seed, addresses, at: clock.time, isLiving: { table.livingSlot(at: $0) != nil }, using: &generator)
        perform(steps)
        takeStartDecision()
        return takeEffects()
    }

    mutating func runJoiner() {
        guard !isLeaving else { return }
        let steps = joiner.advance(
            to: clock.time, isLiving: { table.livingSlot(at: $0) != nil }, using: &generator)
        perform(steps)
        takeStartDecision()
    }

    mutating func takeStartDecision() {
        if let decision = joiner.decision(
            at: clock.time, hasMembers: table.liveCount > 0, mayHaveMembers: table.unconfirmedCount > 0)
        {
            emit(.startDecided(decision))
        } else if joiner.takeWaitNotice() {
            emit(.startWaits)
        }
        if joiner.hasJustSettled(at: clock.time, hasMembers: table.liveCount > 0) { emit(.nobodyCame) }
    }

    private mutating func reportAttempt(_ outcome: SeedJoiner.Outcome, _ peer: PeerAddress) {
        joiner.report(outcome, from: peer, at: clock.time, using: &generator)
        takeStartDecision()
    }

    private mutating func perform(_ steps: [SeedJoiner.Step]) {
        for step in steps {
            switch step {
            case .resolve(let seed): perform(.resolveSeed(seed))
            case .pushPull(let address): perform(.pushPull(with: address, isJoin: true))
            }
        }
    }
}
