internal import Membership
internal import Replication
internal import Transport

/// Processes: started, stopped, paused, and what their engines want done.
extension World {
    // MARK: Start and stop

    /// Starts a process on the node's database. Does nothing where one runs.
    package func start(_ index: Int) {
        let node = nodes[index]
        guard node.process == nil, let start = makeProcess(node) else { return }
        node.process = start
        node.process?.promised = heldByAllOpen(besides: index)
        node.process?.promisers = openNodes(besides: index).map(\.index).filter { other in
            other < Self.seedCount || node.knownMembers.contains { $0.address == nodes[other].address }
        }
        trace.note(1, UInt64(index), now.nanoseconds)
        say("\(node.name) starts")
        let seeds = (0..<min(Self.seedCount, nodes.count)).map { "\(SimulatedNode.address($0))" }
        carryOut(
            node.process?.membership.join(seeds: seeds, knownMembers: node.knownMembers, at: now) ?? [], of: index)
        settle(index)
    }

    private func makeProcess(_ node: SimulatedNode) -> SimulatedProcess? {
        let wall = node.clock.milliseconds(at: now)
        let start = node.replica.restart(
            wallMilliseconds: wall, forgetsBound: options.without.contains(.durableClock))
        check(start: start, of: node)
        let tags = MemberTags([MemberTags.Key.channels: "mr"])
        guard
            let local = try? LocalMember(
                name: node.name, nodeID: node.nodeID, address: node.address, tags: tags)
        else { return nil }
        var replication = options.replication
        let model: any TransportModel
        switch options.transport {
        case .udp: model = DatagramModel(seed: generator.next(), relays: !options.without.contains(.relays))
        case .zmq: model = StreamModel(stream: generator.next())
        }
        replication.maxMessageBytes = model.maxMessageBytes
        if options.without.contains(.gapPull) { replication.maxPulls = 0 }
        if options.without.contains(.heads) { replication.maxHeads = 0 }
        return SimulatedProcess(
            membership: MembershipEngine(
                configuration: membershipConfiguration, local: local, seed: generator.next(), at: now),
            replication: ReplicationEngine(
                configuration: replication, nodeID: node.nodeID, start: start.rawValue, seed: generator.next()),
            transport: model, startedAt: now)
    }

    private var membershipConfiguration: MembershipConfiguration {
        var configuration = options.membership
        if options.without.contains(.suspicion) {
            configuration.minimumSuspicion = configuration.probeTimeout
            configuration.suspicionMultiplier = 1
        }
        if options.without.contains(.lifeguard) {
            configuration.localHealthLimit = 1
            configuration.suspicionMaximumMultiplier = 1
        }
        if options.without.contains(.pauseClock) { configuration.pauseThreshold = .seconds(86_400) }
        return configuration
    }

    /// The process is gone without a word; what the disk has not committed is gone with it.
    package func kill(_ index: Int) {
        let node = nodes[index]
        guard node.process != nil else { return }
        stats.crashes += 1
        trace.note(2, UInt64(index), now.nanoseconds)
        say("\(node.name) dies")
        node.process = nil
        node.epoch += 1
        // The disk may have done with the commit under way, though nobody heard of it.
        if let batch = node.disk.batch, chance(0.5) { _ = apply(batch, on: node, isAcknowledged: false) }
        node.disk.batch = nil
        node.disk.queue = []
        failedViews = failedViews.filter { $0.key.observer != index && $0.key.member != index }
        breakExchanges(of: index)
        breakConnections(of: index)
    }

    /// Says farewell, then ends.
    package func leave(_ index: Int) {
        guard nodes[index].process?.isPaused == false else { return }
        carryOut(nodes[index].process?.membership.leave(at: now) ?? [], of: index)
        settle(index)
        let epoch = nodes[index].epoch
        perform(in: .milliseconds(200)) { world in
            if world.nodes[index].epoch == epoch { world.kill(index) }
        }
    }

    package func pause(_ index: Int, for time: Duration) {
        guard let process = nodes[index].process, !process.isPaused else { return }
        say("\(nodes[index].name) stands still for \(time.inSeconds) s")
        nodes[index].process?.pausedSince = now
        notePause(of: nodes[index])
        schedule(.resume(index, epoch: nodes[index].epoch), in: time)
    }

    func resume(_ index: Int) {
        guard nodes[index].process?.isPaused == true else { return }
        nodes[index].process?.pausedSince = nil
        nodes[index].lastPauseEnd = now
        if wasLong(nodes[index]) { nodes[index].longPauseEnd = now }
        // Its threads go on in any order: timers may run before those that read the sockets have handed over.
        if chance(0.5) {
            readUnread(index)
        } else {
            schedule(.unread(index, epoch: nodes[index].epoch), in: generator.duration(in: .zero...(.milliseconds(20))))
        }
        if nodes[index].process != nil { wake(index) }
    }

    /// Hands over what arrived while the process stood still.
    func readUnread(_ index: Int) {
        let unread = nodes[index].process?.unread ?? []
        nodes[index].process?.unread = []
        for event in unread {
            if case .packet(let content, let from, let to, _) = event { deliver(content, from: from, to: to) }
        }
    }

    // MARK: Turns

    func wake(_ index: Int) {
        carryOut(nodes[index].process?.membership.advance(to: now) ?? [], of: index)
        carryOut(nodes[index].process?.replication.advance(to: now, summary: summary(index)) ?? [], of: index)
        settle(index)
    }

    /// The engine compares roots with its own as of now.
    func summary(_ index: Int) -> TreeSummary { nodes[index].replica.summary }

    /// Sends what the transport gives, and plans the next wake.
    func settle(_ index: Int) {
        while let packets = nodes[index].process?.transport.take(at: now), !packets.isEmpty {
            for packet in packets { transmit(packet, from: index) }
        }
        guard let process = nodes[index].process, let next = process.nextDeadline() else { return }
        let deadline = max(next, now + .microseconds(10))
        if let planned = process.wakeAt, planned <= deadline { return }
        nodes[index].process?.wakeAt = deadline
        schedule(.wake(index, epoch: nodes[index].epoch), at: deadline)
    }

    // MARK: Effects

    func carryOut(_ effects: [MembershipEngine.Effect], of index: Int) {
        guard !effects.isEmpty, nodes[index].process != nil else { return }
        // Newcomers first: what the same input has to tell is for them too.
        if effects.contains(where: { if case .emit(let event) = $0 { event.changesPeers } else { false } }) {
            // In large clusters many newcomers share one turn: each turn costs as much as there are peers.
            if nodes.count <= Self.promptPeers { changePeers(index) } else { planPeerChange(index) }
        } else if effects.contains(where: { if case .emit(let event) = $0 { event.changesHearsay } else { false } }),
            !isServing(index)
        {
            if nodes.count <= Self.promptPeers {
                passPeersOn(index, livingPeers(of: index))
            } else {
                planPeerChange(index)
            }
        }
        for effect in effects { carryOut(effect, of: index) }
    }

    private static let promptPeers = 64
    private static let peerChangeDelay: Duration = .milliseconds(10)

    private func planPeerChange(_ index: Int) {
        guard let process = nodes[index].process, !process.willChangePeers else { return }
        process.willChangePeers = true
        schedule(.peers(index, epoch: nodes[index].epoch), in: Self.peerChangeDelay)
    }

    func changePlannedPeers(_ index: Int) {
        nodes[index].process?.willChangePeers = false
        changePeers(index)
        settle(index)
    }

    private func changePeers(_ index: Int) {
        let living = livingPeers(of: index)
        nodes[index].process?.transport.setPeers(living.map { Peer(address: $0.address) })
        connectPeers(of: index, living)
        passPeersOn(index, living)
    }

    private func carryOut(_ effect: MembershipEngine.Effect, of index: Int) {
        switch effect {
        case .send(let message, let peer):
            if case .indirectPing = message, options.without.contains(.indirectProbes) { return }
            if isRefutation(message, of: index), options.without.contains(.refutation) { return }
            nodes[index].process?.transport.send(MemberlistCodec.encode(message), on: .membership, to: peer)
        case .broadcast(let message, let name):
            if isRefutation(message, of: index), options.without.contains(.refutation) { return }
            nodes[index].process?.transport.broadcast(
                MemberlistCodec.encode(message), on: .membership, options: BroadcastOptions(replacing: name))
        case .pushPull(let peer, let isJoin):
            // Once a node is open, it joins only to find again whom it has lost.
            guard isJoin, options.without.contains(.rejoining), isServing(index) else {
                return open(.pushPull(isJoin: isJoin), from: index, to: peer)
            }
            let effects = nodes[index].process?.membership.pushPullFailed(with: peer, .noAnswer, at: now)
            carryOut(effects ?? [], of: index)
        case .streamPing(let ping, let peer):
            if !options.without.contains(.indirectProbes) { open(.streamPing(ping), from: index, to: peer) }
        case .resolveSeed(let seed):
            let address = PeerAddress(seed).map { [$0] } ?? []
            carryOut(
                nodes[index].process?.membership.seedResolved(seed, addresses: address, at: now) ?? [], of: index)
        case .emit(let event): note(event, of: index)
        }
    }

    private func isRefutation(_ message: MembershipMessage, of index: Int) -> Bool {
        guard case .alive(let body) = message else { return false }
        return body.node == nodes[index].name && isServing(index)
    }

    private func note(_ event: MembershipEvent, of index: Int) {
        say("\(nodes[index].name): \(event.summary)")
        switch event {
        case .memberFailed(let member, let accuser):
            noteDetection(of: member, hasFailed: true)
            noteFailure(of: member, by: accuser, seenBy: index)
        case .memberSuspected(let member, let accuser):
            stats.suspicions += 1
            noteSuspicion(of: member, by: accuser, seenBy: index)
            noteDetection(of: member, hasFailed: false)
        case .memberJoined(let member): noteReturn(of: member, seenBy: index)
        case .startDecided(let decision):
            let summary = summary(index)
            let effects =
                switch decision {
                case .first: nodes[index].process?.replication.open(isSynced: true, summary: summary, at: now)
                case .alone: nodes[index].process?.replication.open(isSynced: false, summary: summary, at: now)
                case .joined: nodes[index].process?.replication.beginFirstSync(summary: summary, at: now)
                }
            carryOut(effects ?? [], of: index)
        default: break
        }
    }

    func livingPeers(of index: Int) -> [Member] { nodes[index].process?.membership.livingMembers ?? [] }

    private func passPeersOn(_ index: Int, _ living: [Member]) {
        let failed = nodes[index].process?.membership.failedMembers ?? []
        nodes[index].knownMembers = (living + failed).map { KnownMember(name: $0.name, address: $0.address) }
        let peers = living.compactMap { member in
            member.nodeID.map { ReplicationPeer(nodeID: $0, address: member.address) }
        }
        let effects = nodes[index].process?.replication.setPeers(
            peers, areComplete: nodes[index].process?.membership.arePeersComplete ?? true, summary: summary(index),
            at: now)
        carryOut(effects ?? [], of: index)
    }

    func carryOut(_ effects: [ReplicationEngine.Effect], of index: Int) {
        for effect in effects {
            switch effect {
            case .broadcast(let message, let options):
                // Heartbeats begin with 2, changes with 1.
                let isHeartbeat = message.first == 2
                if self.options.without.contains(isHeartbeat ? .heartbeats : .eagerBroadcast) { continue }
                // What is passed on is not for those who have it.
                if self.options.without.contains(.relays), !options.skipping.isEmpty { continue }
                nodes[index].process?.transport.broadcast(message, on: .replication, options: options)
            case .send(let message, let peer):
                nodes[index].process?.transport.send(message, on: .replication, to: peer)
            case .push(let message, let peers):
                for peer in peers { open(.push(message), from: index, to: peer) }
            case .merge(let token, let rows): commit(.merge(token, rows), on: index)
            case .walk(let peer):
                if options.without.contains(.walks) {
                    let outcome = WalkOutcome()
                    carryOut(
                        nodes[index].process?.replication.walkFinished(
                            with: peer.nodeID, outcome, summary: summary(index), at: now) ?? [],
                        of: index)
                } else if options.without.contains(.failover), isOtherDonor(peer, for: index) {
                    perform(in: .milliseconds(100)) { world in
                        let effects = world.nodes[index].process?.replication.walkFailed(
                            with: peer.nodeID, .exchange(.noAnswer), at: world.now)
                        world.carryOut(effects ?? [], of: index)
                        world.settle(index)
                    }
                } else {
                    open(.walk(peer.nodeID), from: index, to: peer.address)
                }
            case .emit(let event): note(event, of: index)
            }
        }
    }

    /// While a node starts, with only its first donor to try.
    private func isOtherDonor(_ peer: ReplicationPeer, for index: Int) -> Bool {
        guard let process = nodes[index].process, !process.replication.isReady else { return false }
        if process.firstDonor == nil { nodes[index].process?.firstDonor = peer.nodeID }
        return process.firstDonor.map { $0 != peer.nodeID } ?? false
    }

    private func note(_ event: ReplicationEvent, of index: Int) {
        say("\(nodes[index].name): \(event.summary)")
        if case .becameReady(let isSynced) = event {
            nodes[index].process?.openSince = now
            if isSynced { checkStart(of: nodes[index]) }
            lowerPromises(to: nodes[index])
        }
        if case .syncStarted(let donor) = event, !isMended, chance(options.faults.donorDeaths),
            let victim = SimulatedNode.index(donor.address), victim < nodes.count
        {
            let delay = generator.duration(in: .milliseconds(1)...(.milliseconds(30)))
            perform(in: delay) { world in world.crash(victim) }
        }
    }

    /// Whether a client is served.
    func isServing(_ index: Int) -> Bool {
        guard let process = nodes[index].process, !process.isPaused else { return false }
        return process.replication.isReady || options.without.contains(.readiness)
    }
}
