package import Transport

/// What this node does about itself: it contradicts what is wrong, tells its tags, and says farewell.
extension MembershipEngine {
    mutating func applyOwnAlive(_ alive: AliveBody, _ versions: ProtocolVersions, from peer: PeerAddress?) {
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
        guard alive.incarnation >= incarnation else { return }
        let isEqual = isSameAddress && alive.meta == local.meta && versions == .current
        if alive.incarnation > incarnation || !isEqual { refute(alive.incarnation, tell: peer) }
    }

    mutating func refuteIfAccused(_ body: AccusationBody, from peer: PeerAddress?) {
        guard !isLeaving, body.incarnation >= incarnation else { return }
        refute(body.incarnation, tell: peer)
    }

    /// Contradicts what was said of our incarnation `accused`, to everyone and at once to whoever said it.
    private mutating func refute(_ accused: UInt32, tell peer: PeerAddress?) {
        guard accused <= Self.maxIncarnation else {
            // Nobody believes such an accusation, and nobody would believe the answer.
            stats.ignoredMessages += 1
            return
        }
        raiseIncarnation(above: accused)
        stats.refutations += 1
        changeHealth(by: 1)
        emit(.selfRefuted(incarnation: incarnation))
        announceSelf(to: peer)
    }

    private mutating func raiseIncarnation(above accused: UInt32) {
        incarnation = min(max(incarnation, accused), UInt32.max - 1) + 1
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
