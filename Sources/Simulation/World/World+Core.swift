internal import DequeModule
internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// Drives the cores: hands over inputs, and carries out what the cores say.
extension World {
    /// What a core is told with each input.
    func moment(_ node: SimulatedNode) -> Moment {
        Moment(time: now, wallMilliseconds: node.clock.milliseconds(at: now), summary: node.replica.summary)
    }

    /// The wall time as a node takes it to be.
    func reading(_ node: SimulatedNode) -> WallReading {
        let hold = options.without.contains(.clockHold) ? .none : node.process?.clockHold ?? .none
        return hold.reading(node.clock.milliseconds(at: now), at: now)
    }

    /// Hands one input to the core of a node. An input that comes while effects of an earlier one are carried out waits
    /// for its turn. What comes to a process that stands still waits until it goes on, and then for what came before.
    func feed(_ input: NodeCore.Input, to index: Int) {
        guard let process = nodes[index].process else { return }
        if process.isPaused || !process.held.isEmpty, !Self.isTick(input) { return process.held.append(input) }
        process.inputs.append(input)
        run(process, index)
    }

    private static func isTick(_ input: NodeCore.Input) -> Bool { if case .tick = input { true } else { false } }

    /// Hands over what came while the process stood still.
    func feedHeld(_ index: Int) {
        guard let process = nodes[index].process, !process.isPaused, !process.held.isEmpty else { return }
        process.inputs += process.held
        process.held = []
        run(process, index)
        takeChanges(index)
        settle(index)
    }

    private func run(_ process: SimulatedProcess, _ index: Int) {
        guard !process.isBusy else { return }
        process.isBusy = true
        while let next = process.inputs.popFirst() {
            for effect in process.core.handle(next, at: moment(nodes[index])) where permits(effect, of: index) {
                carryOut(effect, of: index)
            }
            // An effect may have ended the process.
            guard nodes[index].process === process else { return }
        }
        process.isBusy = false
    }

    func wake(_ index: Int) {
        feed(.tick, to: index)
        settle(index)
    }

    /// Sends what the transport gives, and plans the next wake.
    func settle(_ index: Int) {
        while let packets = nodes[index].process?.transport.take(at: now), !packets.isEmpty {
            for packet in packets { transmit(packet, from: index) }
        }
        guard let process = nodes[index].process, let next = process.nextDeadline() else { return }
        let deadline = max(next, now + .microseconds(10))
        if let planned = process.wakeAt, planned <= deadline { return }
        process.wakeAt = deadline
        schedule(.wake(index, epoch: nodes[index].epoch), at: deadline)
    }

    /// Hands over changes that have arrived, as many as the core takes.
    func takeChanges(_ index: Int) {
        while let process = nodes[index].process, !process.inbox.isEmpty {
            guard !process.isBusy, process.held.isEmpty else { return }
            let wanted = process.withCore { $0.wantedArrivals(on: .replication) }
            guard wanted > 0 else { return }
            feed(.arrived(process.inbox.take(limit: wanted), on: .replication), to: index)
        }
    }

    private func carryOut(_ effect: NodeCore.Effect, of index: Int) {
        let node = nodes[index]
        switch effect {
        case .send(let message, let channel, let peer): node.process?.transport.send(message, on: channel, to: peer)
        case .broadcast(let message, let channel, let options):
            node.process?.transport.broadcast(message, on: channel, options: options)
        case .setPeers(let peers):
            node.process?.transport.setPeers(peers)
            connectPeers(of: index, peers)
        case .dial(let id, let address): dial(id, address, from: index)
        case .exchange(let id, let step): follow(step, id, on: index)
        case .abandon(let id): abandon(id, on: index)
        case .farewellSaid: endSoon(index)
        case .holdClock(let hold): node.process?.clockHold = hold
        case .merge(let token, let rows): commit(.merge(token, rows), on: index)
        case .resolve(let seed): resolve(seed, for: index)
        case .saveMembers(let members): commit(.save(members), on: index)
        case .openAPI: open(index)
        case .emit(let event): note(event, of: index)
        }
    }

    private func resolve(_ seed: String, for index: Int) {
        let time = generator.duration(in: .milliseconds(1)...(.milliseconds(30)))
        schedule(.resolved(seed, by: index, epoch: nodes[index].epoch), in: time)
    }

    /// The name service knows all nodes, in any order, and does not always answer.
    func finishResolving(_ seed: String, by index: Int) {
        if nodes[index].isPausedNow {
            return schedule(.resolved(seed, by: index, epoch: nodes[index].epoch), in: .milliseconds(50))
        }
        let isSilent = !isMended && chance(0.05)
        let addresses = isSilent ? [] : nodes.map(\.address).shuffled(using: &generator)
        feed(.resolved(seed, addresses), to: index)
        settle(index)
    }

    private func open(_ index: Int) {
        guard let process = nodes[index].process else { return }
        process.openSince = now
        if process.core.replication.isSynced {
            checkStart(of: nodes[index])
            checkEmptiness(of: nodes[index])
        }
        lowerPromises(to: nodes[index])
    }

    /// Whether a client is served.
    func isServing(_ index: Int) -> Bool {
        guard let process = nodes[index].process, !process.isPaused, !process.isLeaving else { return false }
        return process.withCore { $0.isReady } || options.without.contains(.readiness)
    }

    // MARK: - Events

    private func note(_ event: NodeEvent, of index: Int) {
        switch event {
        case .membership(let event): note(event, of: index)
        case .replication(let event): note(event, of: index)
        case .dialFailed(let peer, let error): say("\(nodes[index].name) did not reach \(peer): \(error)")
        case .clock(let state): say("\(nodes[index].name): the clock is \(state)")
        case .malformed, .dialled, .unresolved, .walkServed, .serveFailed, .pushFailed: break
        }
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
        case .memberJoined(let member):
            nodes[index].process?.joinTimes[member.name] = now
            noteReturn(of: member, seenBy: index)
        default: break
        }
    }

    private func note(_ event: ReplicationEvent, of index: Int) {
        say("\(nodes[index].name): \(event.summary)")
        switch event {
        case .walkFinished: stats.walks += 1
        case .handedOver(let end):
            nodes[index].handOver = end
            if end == .safe { checkHandOver(of: nodes[index]) }
        case .walkFailed:
            stats.walks += 1
            stats.failedWalks += 1
        case .syncStarted(let donor):
            guard !isMended, chance(options.faults.donorDeaths), let victim = SimulatedNode.index(donor.address),
                victim < nodes.count
            else { return }
            let delay = generator.duration(in: .milliseconds(1)...(.milliseconds(30)))
            perform(in: delay) { world in world.crash(victim) }
        default: break
        }
    }
}
