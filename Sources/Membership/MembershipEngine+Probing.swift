package import Transport

/// Failure detection: SWIM §3.1 with Lifeguard's local health and nacks.
extension MembershipEngine {
    /// The most other members for which a fixed probe order within `smallClusterCycle` takes at most twice the ordinary
    /// rate.
    static func smallClusterLimit(_ configuration: MembershipConfiguration) -> Int {
        Int(configuration.smallClusterCycle * 2 / configuration.probeInterval)
    }

    /// Time between the starts of successive probes.
    package var probePace: Duration {
        let interval = configuration.probeInterval
        guard table.liveCount > 1, table.liveCount <= table.fixedOrderLimit else { return interval }
        return min(interval, configuration.smallClusterCycle / table.liveCount)
    }

    /// `duration` by local health. Not in small clusters: there several crashes at once look like a fault of ours, and
    /// would be found out too late.
    private func stretched(_ duration: Duration) -> Duration {
        table.liveCount <= table.fixedOrderLimit ? duration : prober.stretched(duration)
    }

    mutating func probeTick() {
        guard !isLeaving else { return }
        clock.add(.probe, in: stretched(probePace))
        guard let slot = table.nextToProbe(using: &generator) else { return }
        let record = table[slot]
        let deadline = clock.time + stretched(configuration.probeTimeout)
        let sequence = prober.begin(Probe(of: record, stage: .direct, at: clock.time, deadline: deadline))
        clock.add(.probeStage(sequence), in: configuration.directProbeTimeout)
        stats.probes += 1
        perform(.send(.ping(ping(record.name, sequence)), to: record.address))
        if record.status == .suspect {
            // A suspect must hear of it at the first chance (Lifeguard §4.3).
            perform(.send(.suspect(accusation(of: record)), to: record.address))
        }
    }

    /// The direct ack did not come in time, or the whole probe is over.
    mutating func probeStageEnded(_ sequence: UInt32) {
        guard let probe = prober.probe(sequence) else { return }
        switch probe.stage {
        case .direct: askHelpers(sequence, probe)
        case .confirming:
            guard clock.time >= probe.deadline else { return }
            _ = prober.endProbe(sequence)
            confirmationFailed(probe.target)
        case .indirect(let missingNacks, let askedForNacks):
            guard clock.time >= probe.deadline else { return }
            _ = prober.endProbe(sequence)
            probeFailed(probe.target, missingNacks: askedForNacks ? missingNacks : nil)
        }
    }

    private mutating func askHelpers(_ sequence: UInt32, _ probe: Probe) {
        clock.add(.probeStage(sequence), at: probe.deadline)
        var owedNacks = 0
        if let slot = table.slot(named: probe.target), table[slot].status.isLiving {
            let target = table[slot]
            let helpers = table.randomLive(configuration.indirectProbeCount, using: &generator) {
                $0.status == .alive && $0.name != target.name
            }
            for helper in helpers {
                let request = IndirectPingBody(
                    sequence: sequence, target: target.address, node: target.name, source: local.address,
                    sourceNode: local.name)
                perform(.send(.indirectPing(request), to: table[helper].address))
                if target.status == .suspect {
                    // Where we do not reach the suspect, its refutation may have come no further than to the helper.
                    perform(.send(.suspect(accusation(of: target)), to: table[helper].address))
                }
                // Foreign helpers nack after their own, longer timeout: ours would be over.
                if table[helper].nodeID != nil { owedNacks += 1 }
            }
            perform(.streamPing(ping(target.name, sequence), to: target.address))
        }
        prober.helpersAsked(sequence, owingNacks: owedNacks)
    }

    private mutating func probeFailed(_ name: String, missingNacks: Int?) {
        stats.failedProbes += 1
        // Helpers that nack prove that our own network works. Without any, the fault may be ours.
        changeHealth(by: missingNacks ?? 1)
        guard !isLeaving, let slot = table.slot(named: name), table[slot].status.isLiving else { return }
        applySuspect(accusation(of: table[slot]), from: nil)
    }

    private func accusation(of record: MemberRecord) -> AccusationBody {
        AccusationBody(incarnation: record.incarnation, node: record.name, from: local.name)
    }

    func ping(_ name: String, _ sequence: UInt32) -> PingBody {
        PingBody(sequence: sequence, node: name, source: local.address, sourceNode: local.name)
    }

    // MARK: - Answers

    mutating func receivePing(_ ping: PingBody, from peer: PeerAddress) {
        guard let ack = answer(toStreamPing: ping) else {
            stats.ignoredMessages += 1
            return
        }
        perform(.send(.ack(ack), to: ping.source ?? peer))
        askWhoProbes(peer)
        tellIfSuspect(peer)
    }

    /// A suspect that probes us can hear of it, whatever cut the two off when it was suspected: our own probe may come
    /// later than the verdict, since local health slows it down.
    private mutating func tellIfSuspect(_ peer: PeerAddress) {
        guard let slot = table.livingSlot(at: peer), table[slot].status == .suspect else { return }
        answer(.suspect(accusation(of: table[slot])), to: peer)
    }

    /// Somebody probes this node, which knows nobody alive: it must be a member of the cluster that this node looks for,
    /// though no seed and nobody from an earlier run answers. Asked slowly, since anybody can send a ping.
    private mutating func askWhoProbes(_ peer: PeerAddress) {
        guard !isLeaving, table.liveCount == 0, LocalMember.isUsable(address: peer), !local.isOwn(peer),
            prober.mayAskBack(at: clock.time)
        else { return }
        perform(.pushPull(with: peer, isJoin: true))
    }

    /// The ack for a ping that came on an exchange, to be sent back there; `nil` when another node is meant.
    package func answer(toStreamPing ping: PingBody) -> AckBody? {
        ping.node.isEmpty || ping.node == local.name ? AckBody(sequence: ping.sequence) : nil
    }

    mutating func receiveAck(_ sequence: UInt32) {
        if let relay = prober.endRelay(sequence) {
            perform(.send(.ack(AckBody(sequence: relay.sequence)), to: relay.asker))
            return
        }
        guard let probe = prober.endProbe(sequence), let slot = table.slot(named: probe.target) else { return }
        switch probe.stage {
        case .confirming where table[slot].address != probe.address:
            // It lives elsewhere by now: the answer proves the old address only.
            confirmationFailed(probe.target)
            return
        case .confirming: confirm(slot)
        case .direct, .indirect: changeHealth(by: -1)
        }
        let now = clock.time
        table.update(slot) { $0.lastSeen = now }
        if let replacedAt = table[slot].replacedAt, probe.began > replacedAt {
            // Its other name lives too: its database was copied.
            table.update(slot) { $0.replacedAt = nil }
            emit(.memberUpdated(table[slot].member))
        }
    }

    /// The answer to a `streamPing` effect.
    package mutating func streamPingAnswered(sequence: UInt32, at now: EngineInstant) -> [Effect] {
        enter(now)
        if let probe = prober.probe(sequence), case .indirect = probe.stage, let slot = table.slot(named: probe.target)
        {
            emit(.onlyStreamReached(table[slot].member))
            receiveAck(sequence)
        }
        return takeEffects()
    }

    // MARK: - For others

    mutating func receiveIndirectPing(_ request: IndirectPingBody, from peer: PeerAddress) {
        guard LocalMember.isUsable(address: request.target) else {
            stats.ignoredMessages += 1
            return
        }
        guard prober.relayCount < configuration.maxRelays else {
            stats.droppedRelays += 1
            return
        }
        let sequence = prober.begin(
            Relay(asker: request.source ?? peer, sequence: request.sequence, wantsNack: request.wantsNack))
        clock.add(.relay(sequence), in: configuration.directProbeTimeout)
        stats.relays += 1
        perform(.send(.ping(ping(request.node, sequence)), to: request.target))
    }

    mutating func relayEnded(_ sequence: UInt32) {
        guard let relay = prober.endRelay(sequence), relay.wantsNack else { return }
        perform(.send(.nack(NackBody(sequence: relay.sequence)), to: relay.asker))
    }

    mutating func changeHealth(by delta: Int) {
        if let score = prober.changeHealth(by: delta) { emit(.localHealthChanged(score)) }
    }
}
