package import Transport

/// What this node does about itself: it contradicts what is wrong, tells its tags, and says farewell.
extension MembershipEngine {
    mutating func applyOwnAlive(
        _ alive: AliveBody, _ versions: ProtocolVersions, from peer: PeerAddress?, source: Source
    ) {
        guard !isLeaving else { return }
        let isSameAddress = alive.address == local.address
        if !isSameAddress {
            let theirs = MemberTags(meta: alive.meta)?.nodeID
            guard theirs == local.nodeID else {
                // To refute would start a war of incarnations that neither side can win.
                report(conflictOverOwnName(with: alive))
                return
            }
        }
        guard alive.incarnation >= incarnation, isBelievable(alive.incarnation, source) else { return }
        let isEqual = isSameAddress && alive.meta == local.meta && versions == .current
        guard alive.incarnation > incarnation || !isEqual else { return }
        if isSameAddress { refute(alive.incarnation, tell: peer) } else { refuteOtherAddress(alive, tell: peer) }
    }

    mutating func refuteIfAccused(_ body: AccusationBody, from peer: PeerAddress?, source: Source) {
        guard !isLeaving else { return }
        guard body.incarnation >= incarnation else {
            // Who sent us a list has just had ours.
            if let peer, source < .dialled { answerOutdated(peer) }
            return
        }
        if isBelievable(body.incarnation, source) { refute(body.incarnation, tell: peer) }
    }

    /// Whether to answer what is said of our incarnation `claimed`. Further away the others would not believe the answer,
    /// so that a single forged message could silence this node for good. On a stream that we dialled a restarted node
    /// learns how far it once was; should that be a lie, the others believe us when they dial (`Source.itself`).
    private mutating func isBelievable(_ claimed: UInt32, _ source: Source) -> Bool {
        if claimed < Self.maxIncarnation && (source >= .dialled || claimed <= incarnation + Self.maxIncarnationStep) {
            return true
        }
        stats.ignoredMessages += 1
        return false
    }

    /// An accusation below our incarnation: its sender missed our last answer.
    private mutating func answerOutdated(_ peer: PeerAddress) {
        if takeAnswer() { perform(.send(.alive(localAlive), to: peer)) }
    }

    /// Whether another outdated accusation may be answered now.
    mutating func takeAnswer() -> Bool {
        if clock >= answerWindowEnd {
            answerWindowEnd = clock + .seconds(1)
            answersLeft = Self.maxAnswersPerSecond
        }
        guard answersLeft > 0 else { return false }
        answersLeft -= 1
        return true
    }

    /// Our own identity at another address: an earlier run of this node, or a running copy of it. To an earlier run one
    /// answer is enough; who goes beyond that answer is running, and is answered slowly, since neither side can win.
    private mutating func refuteOtherAddress(_ alive: AliveBody, tell peer: PeerAddress?) {
        if let last = addressRefutedAt {
            if alive.incarnation > incarnation { report(conflictOverOwnName(with: alive)) }
            let next = last + Self.addressRefutationInterval
            guard clock >= next else {
                if postponedRefutation == nil { timers.add(.addressRefutation, at: next) }
                postponedRefutation = max(postponedRefutation ?? 0, alive.incarnation)
                return
            }
        }
        addressRefutedAt = clock
        refute(alive.incarnation, tell: peer)
    }

    mutating func addressRefutationDue() {
        guard let accused = postponedRefutation else { return }
        postponedRefutation = nil
        guard !isLeaving, accused >= incarnation else { return }
        addressRefutedAt = clock
        refute(accused, tell: nil)
    }

    /// Contradicts what was said of our incarnation `accused`, to everyone and at once to whoever said it.
    private mutating func refute(_ accused: UInt32, tell peer: PeerAddress?) {
        raiseIncarnation(above: accused)
        stats.refutations += 1
        changeHealth(by: 1)
        emit(.selfRefuted(incarnation: incarnation))
        announceSelf(to: peer)
    }

    private mutating func raiseIncarnation(above accused: UInt32) {
        incarnation = min(max(incarnation, accused), Self.maxIncarnation - 1) + 1
    }

    private mutating func announceSelf(to peer: PeerAddress?) {
        perform(.broadcast(.alive(localAlive), about: local.name))
        if let peer { perform(.send(.alive(localAlive), to: peer)) }
    }

    /// Tells everyone new tags. Throws, with nothing changed, when they are too long.
    package mutating func setTags(_ tags: MemberTags, at now: EngineInstant) throws(LocalMemberError) -> [Effect] {
        enter(now)
        try local.setTags(tags)
        guard !isLeaving else { return takeEffects() }
        raiseIncarnation(above: incarnation)
        announceSelf(to: nil)
        return takeEffects()
    }

    /// Says farewell. The node probes, accuses, joins and refutes no more, but answers pings; the driver lets the
    /// farewell spread (0.2 to 0.4 s) before it stops.
    package mutating func leave(at now: EngineInstant) -> [Effect] {
        enter(now)
        guard !isLeaving else { return takeEffects() }
        isLeaving = true
        leavingSince = clock
        probes = [:]
        suspicions = [:]
        let farewell = AccusationBody(incarnation: incarnation, node: local.name, from: local.name)
        perform(.broadcast(.dead(farewell), about: local.name))
        for slot in table.randomLive(configuration.leaveFanOut, using: &generator, where: { _ in true }) {
            perform(.send(.dead(farewell), to: table[slot].address))
        }
        emit(.leftCluster)
        return takeEffects()
    }

    // MARK: - Names

    func conflictOverOwnName(with alive: AliveBody) -> NameConflict {
        NameConflict(
            name: local.name, holder: .init(nodeID: local.nodeID, address: local.address),
            claimant: .init(nodeID: MemberTags(meta: alive.meta)?.nodeID, address: alive.address), isOwnName: true)
    }

    /// Emits a conflict once per claimant.
    mutating func report(_ conflict: NameConflict) {
        guard !reportedConflicts.contains(conflict) else { return }
        if reportedConflicts.count >= Self.maxReportedConflicts { reportedConflicts.removeFirst() }
        reportedConflicts.append(conflict)
        emit(.nameConflict(conflict))
    }
}
