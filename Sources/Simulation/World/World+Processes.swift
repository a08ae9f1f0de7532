internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// Processes: started, stopped and paused.
extension World {
    // MARK: Start and stop

    /// Starts a process on the node's database. Does nothing where one runs.
    package func start(_ index: Int) {
        let node = nodes[index]
        guard node.process == nil, let start = makeProcess(node) else { return }
        node.process = start
        node.process?.promised = heldByAllOpen(besides: index)
        node.process?.promisers = openNodes(besides: index).map(\.index).filter { other in
            isSeed(other) || node.knownMembers.contains { $0.address == nodes[other].address }
        }
        trace.note(1, UInt64(index), now.nanoseconds)
        say("\(node.name) starts")
        feed(.begin(seeds: seeds, knownMembers: node.knownMembers), to: index)
        settle(index)
    }

    private func makeProcess(_ node: SimulatedNode) -> SimulatedProcess? {
        let wall = WallReading(milliseconds: node.clock.milliseconds(at: now))
        let start = node.replica.restart(
            wall, forgetsBound: options.without.contains(.durableClock))
        check(start: start, of: node)
        guard
            let local = try? LocalMember(
                name: node.name, nodeID: node.nodeID, address: node.address, tags: .node)
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
        let core = NodeCore(
            local, start: start, membership: membershipConfiguration, replication: replication,
            seed: (generator.next(), generator.next()), at: now)
        return SimulatedProcess(core: core, transport: model, startedAt: now)
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

    /// Takes no more writes, hands over what it has, says farewell, then ends.
    package func leave(_ index: Int) {
        guard let process = nodes[index].process, !process.isPaused, !process.isLeaving else { return }
        say("\(nodes[index].name) leaves")
        process.isLeaving = true
        leaveWhenDrained(index, epoch: nodes[index].epoch)
    }

    /// Writes that were let in are committed and answered first.
    private func leaveWhenDrained(_ index: Int, epoch: Int) {
        let node = nodes[index]
        guard node.epoch == epoch else { return }
        guard node.disk.batch == nil, node.disk.queue.isEmpty else {
            return perform(in: .milliseconds(5)) { $0.leaveWhenDrained(index, epoch: epoch) }
        }
        feed(.leave, to: index)
        settle(index)
    }

    func endSoon(_ index: Int) {
        let epoch = nodes[index].epoch
        perform(in: NodeCore.farewell) { world in
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
        feedHeld(index)
        let unread = nodes[index].process?.unread ?? []
        nodes[index].process?.unread = []
        for event in unread {
            if case .packet(let content, let from, let to, _) = event { deliver(content, from: from, to: to) }
        }
    }
}
