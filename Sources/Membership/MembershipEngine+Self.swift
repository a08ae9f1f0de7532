package import Transport

/// What this node does about itself: it contradicts what is wrong, and says farewell.
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
                report(own.conflict(with: alive))
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
            // Its sender missed the last answer; the sender of a list has just received our full state.
            if let peer, source < .dialled { answer(.alive(own.alive), to: peer) }
            return
        }
        if isBelievable(body.incarnation, source) { refute(body.incarnation, tell: peer) }
    }

    private mutating func isBelievable(_ claimed: UInt32, _ source: Source) -> Bool {
        let isBelievable = own.isBelievable(claimed, source)
        if !isBelievable { stats.ignoredMessages += 1 }
        return isBelievable
    }

    /// Our own identity at another address: an earlier run of this node, or a running copy of it. To an earlier run one
    /// answer is enough; who goes beyond that answer is running, and is answered slowly, since neither side can win.
    private mutating func refuteOtherAddress(_ alive: AliveBody, tell peer: PeerAddress?) {
        if own.hasRefutedAddress, alive.incarnation > incarnation { report(own.conflict(with: alive)) }
        switch own.answerToAddress(alive.incarnation, at: clock.time) {
        case .refuteNow: refute(alive.incarnation, tell: peer)
        case .refuteAt(let instant): clock.add(.addressRefutation, at: instant)
        case .wait: break
        }
    }

    mutating func addressRefutationDue() {
        if let accused = own.takePostponedRefutation(at: clock.time) { refute(accused, tell: nil) }
    }

    /// Contradicts what was said of our incarnation `accused`, to everyone and at once to whoever said it.
    private mutating func refute(_ accused: UInt32, tell peer: PeerAddress?) {
        own.raiseIncarnation(above: accused)
        stats.refutations += 1
        changeHealth(by: 1)
        emit(.selfRefuted(incarnation: incarnation))
        perform(.broadcast(.alive(own.alive), about: local.name))
        if let peer { perform(.send(.alive(own.alive), to: peer)) }
    }

    /// Says farewell. The node probes, accuses, joins and refutes no more, but answers pings; the driver lets the
    /// farewell spread (0.2 to 0.4 s) before it stops.
    package mutating func leave(at now: EngineInstant) -> [Effect] {
        enter(now)
        guard !isLeaving else { return takeEffects() }
        own.leave(at: clock.time)
        prober.endAllProbes()
        suspicions.endAll()
        let farewell = AccusationBody(incarnation: incarnation, node: local.name, from: local.name)
        perform(.broadcast(.dead(farewell), about: local.name))
        for slot in table.randomLive(configuration.leaveFanOut, using: &generator, where: { _ in true }) {
            perform(.send(.dead(farewell), to: table[slot].address))
        }
        emit(.leftCluster)
        return takeEffects()
    }

    /// Emits a conflict once per claimant.
    mutating func report(_ conflict: NameConflict) {
        if own.isFirstReport(of: conflict) { emit(.nameConflict(conflict)) }
    }
}
