package import Transport

/// The rules of memberlist for alive, suspect and dead, with identities behind the names.
extension MembershipEngine {
    /// A message that came as a datagram or in one. Hand these over before `advance`.
    package mutating func receive(
        _ message: MembershipMessage, from peer: PeerAddress, at now: EngineInstant
    ) -> [Effect] {
        enter(now)
        switch message {
        case .ping(let body): receivePing(body, from: peer)
        case .indirectPing(let body): receiveIndirectPing(body, from: peer)
        case .ack(let body): receiveAck(body.sequence)
        case .nack(let body): prober.nacked(body.sequence)
        case .suspect(let body): applySuspect(body, from: peer)
        case .dead(let body): applyDead(body, from: peer)
        case .alive(let body):
            applyAlive(body, from: peer, source: table.livingSlot(at: peer) != nil ? .vouched : .anyone)
        case .pushPull, .error, .user: stats.ignoredMessages += 1
        }
        return takeEffects()
    }

    /// What a member is said to say of itself. `peer` is who gets the answer if it is about us; `isNews`: others may not
    /// know of a newcomer.
    mutating func applyAlive(_ body: AliveBody, from peer: PeerAddress?, source: Source, isNews: Bool = true) {
        guard let (alive, versions) = usable(body) else {
            stats.ignoredMessages += 1
            return
        }
        // Who is said to be here under another name is this node, as it was called before.
        if alive.node != local.name && local.isOwn(alive.address) { return }
        if alive.node == local.name {
            applyOwnAlive(alive, versions, from: peer, source: source)
        } else if let slot = table.slot(named: alive.node) {
            applyKnownAlive(alive, versions, slot, source)
        } else if alive.incarnation > Self.highestFirstIncarnation(source) {
            stats.ignoredMessages += 1
        } else if admit(alive, versions, isVouched: source >= .vouched, isNews: isNews) != nil {
            confirmWaiting()
        }
    }

    /// A newcomer must be able to learn of members whose incarnation forged accusations have driven up.
    private static func highestFirstIncarnation(_ source: Source) -> UInt32 {
        source >= .dialled ? maxIncarnation : maxFirstIncarnation
    }

    /// A description that may be kept and passed on, or `nil`. A missing port means ours; missing versions, which some
    /// accept and others choke on, are taken to be the current ones.
    private func usable(_ body: AliveBody) -> (AliveBody, ProtocolVersions)? {
        var alive = body
        if alive.address.port == 0 { alive.address = alive.address.with(port: local.address.port) }
        if alive.versions.isEmpty { alive.versions = ProtocolVersions.current.bytes }
        guard LocalMember.isUsable(name: alive.node), LocalMember.isUsable(address: alive.address),
            alive.meta?.count ?? 0 <= MemberTags.maxBytes, alive.incarnation <= Self.maxIncarnation,
            let versions = ProtocolVersions(bytes: alive.versions), versions.isCompatibleWithCurrent
        else { return nil }
        return (alive, versions)
    }

    /// What nearly every repetition is: nothing in it is new. Looked at in place, since a record costs more to copy than to
    /// compare.
    private func isOldNews(_ alive: AliveBody, _ slot: Int) -> Bool {
        alive.incarnation <= table[slot].incarnation && table[slot].list != .plain
            && alive.address == table[slot].address
    }

    private mutating func applyKnownAlive(
        _ alive: AliveBody, _ versions: ProtocolVersions, _ slot: Int, _ source: Source
    ) {
        guard !isOldNews(alive, slot) else { return }
        let record = table[slot]
        if alive.address != record.address {
            let nodeID = MemberTags(meta: alive.meta)?.nodeID
            if nodeID == nil || nodeID != record.nodeID {
                if record.status.isLiving && record.isConfirmed {
                    report(
                        NameConflict(
                            name: record.name, holder: .init(nodeID: record.nodeID, address: record.address),
                            claimant: .init(nodeID: nodeID, address: alive.address), isOwnName: false))
                } else {
                    takeOver(slot, alive, versions, source)
                }
                return
            }
        }
        if source >= .vouched, record.list == .plain, alive.address == record.address {
            table.move(slot, to: .vouched, using: &generator)
            confirmWaiting()
        }
        guard alive.incarnation > record.incarnation else { return }
        let highest =
            record.isConfirmed
            ? record.incarnation + Self.maxIncarnationStep : Self.highestFirstIncarnation(source)
        guard alive.incarnation <= highest || source == .itself else {
            stats.ignoredMessages += 1
            return
        }
        store(alive, versions, in: slot)
        guard record.isConfirmed else { return }
        announceAlive(slot, before: record)
    }

    /// Another node takes the name of one that is gone, or that nobody here ever reached; incarnations of the two do not
    /// compare. Hearsay from anyone does not suffice, lest invented claims erase failed members and keep joiners out;
    /// nor does a claim while a ping to the earlier claimant is on its way.
    private mutating func takeOver(_ slot: Int, _ alive: AliveBody, _ versions: ProtocolVersions, _ source: Source) {
        guard source >= .vouched, table[slot].list != .checking,
            alive.incarnation <= Self.highestFirstIncarnation(source)
        else { return }
        forget(slot)
        if admit(alive, versions, isVouched: true) != nil { confirmWaiting() }
    }

    private mutating func store(_ alive: AliveBody, _ versions: ProtocolVersions, in slot: Int) {
        table.setAddress(slot, alive.address)
        table.update(slot) { record in
            record.incarnation = alive.incarnation
            record.versions = versions
            record.meta = alive.meta
            record.isNews = true
        }
    }

    /// After a confirmed member showed that it lives: ends its suspicion, relists it, and tells everyone.
    private mutating func announceAlive(_ slot: Int, before: MemberRecord) {
        suspicions.end(before.name)
        let now = clock.time
        // A suspect has only been silent; any other that says more than it has to was gone, or is started anew.
        if before.status != .suspect { table.update(slot) { $0.cameAt = now } }
        if before.status != .alive {
            table.update(slot) { record in
                record.status = .alive
                record.statusChangedAt = now
            }
            table.move(slot, to: .live, using: &generator)
        }
        let member = table[slot].member
        switch before.status {
        case .failed, .left, .leaving:
            joiner.memberSettled(before.name)
            emit(.memberJoined(member))
        case .suspect: emit(.memberRefuted(member))
        case .alive: break
        }
        if before.status.isLiving, before.address != member.address || before.meta != table[slot].meta {
            emit(.memberUpdated(member))
        }
        perform(.broadcast(.alive(table[slot].alive), about: before.name))
    }

    mutating func applySuspect(_ body: AccusationBody, from peer: PeerAddress?, source: Source = .anyone) {
        if body.node == local.name {
            refuteIfAccused(body, from: peer, source: source)
            return
        }
        guard let slot = accused(body) else {
            passRefutationOn(body, to: peer)
            return
        }
        if suspicions.deadline(of: body.node) != nil {
            confirmSuspicion(body)
            return
        }
        guard table[slot].status == .alive else { return }
        let now = clock.time
        table.update(slot) { record in
            record.incarnation = body.incarnation
            record.status = .suspect
            record.statusChangedAt = now
        }
        let suspicion = newSuspicion(of: table[slot], by: body.from)
        suspicions.begin(suspicion, of: body.node)
        stats.suspicions += 1
        clock.add(.suspicion(body.node), at: suspicion.deadline)
        emit(.memberSuspected(table[slot].member, by: body.from))
        perform(.broadcast(.suspect(body), about: body.node))
        reviewSuspicions()
    }

    /// The accuser has missed what the accused said since. It asks those near it while it cannot reach the accused itself.
    private mutating func passRefutationOn(_ body: AccusationBody, to peer: PeerAddress?) {
        guard let peer, let accuser = table.livingSlot(at: peer), table[accuser].name == body.from,
            let slot = table.slot(named: body.node), table[slot].isConfirmed, table[slot].status == .alive,
            body.incarnation < table[slot].incarnation
        else { return }
        answer(.alive(table[slot].alive), to: peer)
    }

    /// Confirmations that a suspicion needs. The N is this node, those alive, and one suspect: counting all of them,
    /// several crashes at once would wait for each other.
    private func neededConfirmations(suspectCount: Int, newcomerCount: Int = 0) -> Int {
        Formulas.neededConfirmations(
            multiplier: configuration.suspicionMultiplier, memberCount: clusterSize - suspectCount - newcomerCount + 1)
    }

    /// Members that came after the suspect was last seen: where it was dead by then they never knew it, and confirm nothing.
    private func newcomerCount(after suspect: MemberRecord) -> Int {
        let lastSeen = suspect.lastSeen ?? suspect.cameAt
        return table[.live].count { table[$0].status == .alive && table[$0].cameAt > lastSeen }
    }

    /// After one less can confirm.
    private mutating func reviewSuspicions() {
        let suspectCount = suspicions.count
        for name in suspicions.names {
            guard let slot = table.slot(named: name) else { continue }
            let needed = neededConfirmations(
                suspectCount: suspectCount, newcomerCount: newcomerCount(after: table[slot]))
            guard let deadline = suspicions.lower(name, toNeeded: needed) else { continue }
            clock.add(.suspicion(name), at: deadline)
        }
    }

    /// A member that joins with a list of itself alone has just started, and knows nobody: whom others suspect it never knew,
    /// and it confirms nothing. Its news alone do not tell a start from a refutation.
    mutating func noteStart(of remote: PushPull, from peer: PeerAddress) {
        guard remote.isJoin, remote.nodes.count == 1, let member = remote.nodes.first?.member,
            member.address.host == peer.host, let slot = table.slot(named: member.node),
            table[slot].member.address == member.address
        else { return }
        let now = clock.time
        table.update(slot) { $0.cameAt = now }
        reviewSuspicions()
    }

    private func newSuspicion(of suspect: MemberRecord, by accuser: String) -> Suspicion {
        let minimum = max(
            configuration.minimumSuspicion,
            Formulas.minimumSuspicion(
                multiplier: configuration.suspicionMultiplier, memberCount: clusterSize,
                interval: configuration.probeInterval))
        let needed = neededConfirmations(
            suspectCount: suspicions.count + 1, newcomerCount: newcomerCount(after: suspect))
        return Suspicion(
            accuser: accuser, needed: needed, minimum: minimum,
            maximum: minimum * configuration.suspicionMaximumMultiplier, at: clock.time)
    }

    /// Only confirmed members count: invented accusers would shorten the time a suspect has to refute.
    private mutating func confirmSuspicion(_ body: AccusationBody) {
        let isMember =
            body.from == local.name
            || table.slot(named: body.from).map { table[$0].isConfirmed } ?? false
        guard isMember, let deadline = suspicions.confirm(body.node, by: body.from) else { return }
        clock.add(.suspicion(body.node), at: deadline)
        perform(.broadcast(.suspect(body), about: body.node))
    }

    mutating func suspicionEnded(_ name: String) {
        guard !isLeaving, let deadline = suspicions.deadline(of: name), deadline <= clock.time,
            let slot = table.slot(named: name)
        else { return }
        applyDead(
            AccusationBody(incarnation: table[slot].incarnation, node: name, from: local.name), from: nil)
    }

    mutating func applyDead(_ body: AccusationBody, from peer: PeerAddress?, source: Source = .anyone) {
        if body.node == local.name {
            refuteIfAccused(body, from: peer, source: source)
            return
        }
        if let slot = table.slot(named: body.node), !table[slot].isConfirmed {
            // We never knew it; its end is no news either.
            if body.incarnation >= table[slot].incarnation { forget(slot) }
            return
        }
        guard let slot = accused(body) else { return }
        suspicions.end(body.node)
        let before = table[slot].status
        guard before.isLiving else { return }
        let hasLeft = body.from == body.node
        let now = clock.time
        table.update(slot) { record in
            record.incarnation = body.incarnation
            record.status = hasLeft ? .left : .failed
            record.statusChangedAt = now
        }
        table.move(slot, to: .retired, using: &generator)
        let member = table[slot].member
        if hasLeft {
            emit(.memberLeft(member))
        } else if isThereUnderAnotherName(slot) {
            // No node has failed.
            forget(slot)
        } else {
            stats.failures += 1
            joiner.memberFailed(member.name, member.address, at: clock.time)
            emit(.memberFailed(member, by: body.from))
        }
        perform(.broadcast(.dead(body), about: body.node))
        if before == .alive { reviewSuspicions() }
    }

    /// The confirmed member that an accusation is about, unless it is outdated or out of bounds.
    private mutating func accused(_ body: AccusationBody) -> Int? {
        guard let slot = table.slot(named: body.node), table[slot].isConfirmed,
            body.incarnation >= table[slot].incarnation
        else { return nil }
        guard LocalMember.isUsable(name: body.node), LocalMember.isUsable(name: body.from),
            body.incarnation < Self.maxIncarnation,
            body.incarnation - table[slot].incarnation <= Self.maxIncarnationStep
        else {
            stats.ignoredMessages += 1
            return nil
        }
        return slot
    }
}
