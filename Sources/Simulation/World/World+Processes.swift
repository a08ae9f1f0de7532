internal import Cluster
internal import Membership
internal import Replication
internal import Store
internal import Transport

/// Processes: started, stopped and paused.
extension World {
    // MARK: Start and stop

    /// Starts a process on the node's database. Does nothing where one runs.
    package func start(_ index: Int) {
        let node = nodes[index]
        guard node.process == nil, !node.isGone, let number = openDatabase(of: node),
            let start = makeProcess(node, number)
        else { return }
        let knownMembers = options.without.contains(.memory) ? [] : node.replica.knownMembers()
        node.process = start
        node.process?.fullSeeds = fullSeeds(beside: node)
        node.process?.promised = heldByAllOpen(besides: index)
        let holders = openNodes(besides: index)
        node.process?.holders = holders.map(\.nodeID)
        node.process?.promisers = holders.map(\.index).filter { other in
            isSeed(other) || knownMembers.contains { $0.address == nodes[other].address }
        }
        trace.note(1, UInt64(index), now.nanoseconds)
        say("\(node.name) starts")
        feed(.begin(seeds: seeds, knownMembers: knownMembers), to: index)
        settle(index)
    }

    /// The number of the start. `nil` where the database cannot be opened: the process ends, and is started again, or not.
    private func openDatabase(of node: SimulatedNode) -> UInt64? {
        let wall = WallReading(milliseconds: node.clock.milliseconds(at: now))
        do throws(StoreError) {
            let start = try node.replica.open(wall, forgetsBound: options.without.contains(.durableClock))
            check(start: start, of: node)
            if let lost = node.disk.lastContents { exempt(lost, of: node.index, replacement: node.replica) }
            node.disk.lastContents = nil
            return isNoticed(node) ? nil : start
        } catch {
            noteFailure(error, of: node.index)
            if !node.disk.isSpoilt { perform(in: .seconds(1)) { $0.start(node.index) } }
            return nil
        }
    }

    /// Damage to an index, which the store does not look for after a clean end, or to what nothing leads to: somebody does who is not served
    /// well.
    private func isNoticed(_ node: SimulatedNode) -> Bool {
        guard node.disk.isDamaged, let fault = node.replica.integrityFault() else { return false }
        _ = node.replica.end(.killed, .notBegun, at: reading(node))
        noteFailure(.corrupt(path: "", reason: fault), of: node.index)
        return true
    }

    private func makeProcess(_ node: SimulatedNode, _ start: UInt64) -> SimulatedProcess? {
        guard
            let local = try? LocalMember(
                name: node.name, nodeID: node.nodeID, address: node.address, tags: .node)
        else { return nil }
        var replication = options.replication
        if options.without.contains(.startWait) { replication.emptyWait = .zero }
        if hasShortMemory { (replication.emptyWait, replication.syncTimeout) = (.seconds(5), .seconds(5)) }
        let model: any TransportModel
        switch options.transport {
        case .udp: model = DatagramModel(seed: generator.next(), relays: !options.without.contains(.relays))
        case .zmq: model = StreamModel(stream: generator.next())
        }
        replication.maxMessageBytes = model.maxMessageBytes
        if options.without.contains(.gapPull) { replication.maxPulls = 0 }
        if options.without.contains(.standing) { replication.obstaclePatience = .seconds(86_400) }
        if options.without.contains(.heads) { replication.maxHeads = 0 }
        let core = NodeCore(
            local, start: start, membership: membershipConfiguration, replication: replication,
            seed: (generator.next(), generator.next()), at: now)
        return SimulatedProcess(core: core, transport: model, startedAt: now)
    }

    /// With mechanisms switched off, and short memories.
    var membershipConfiguration: MembershipConfiguration {
        var configuration = options.membership
        if hasShortMemory {
            (configuration.failedRetention, configuration.leftRetention) = (.seconds(5), .seconds(5))
            configuration.joining.joinTimeout = .seconds(5)
            (configuration.joining.longFailed, configuration.joining.slowBackOff) = (.seconds(5), .seconds(10))
        }
        if options.without.contains(.startWait) { configuration.joining.isBootstrap = true }
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

    /// The process is gone, without a word unless it is `closed`; what the disk has not committed is gone with it.
    package func kill(_ index: Int) { end(index, .killed) }

    /// See `kill`.
    func end(_ index: Int, _ end: ProcessEnd) {
        let node = nodes[index]
        guard let process = node.process else { return }
        stats.crashes += 1
        trace.note(2, UInt64(index), now.nanoseconds)
        say("\(node.name) dies: \(end)")
        node.process = nil
        node.epoch += 1
        node.disk.isCommitting = false
        node.disk.lastStep = nil
        if node.disk.isDamaged { node.disk.lastContents = ReplicaContents(node.replica) }
        // The commit under way may be done with, or not, or be in the middle; and those who wait for one that is were not
        // told.
        let rest: LastCommit = diskChance(0.5) ? .whole : diskChance(0.5) ? .notBegun : .after(diskPick(0..<12))
        let last = node.replica.end(end, rest, at: reading(node))
        for result in process.unanswered.joined() { note(result, isAcknowledged: false, on: node) }
        for result in last { note(result, isAcknowledged: false, on: node) }
        failedViews = failedViews.filter { $0.key.observer != index && $0.key.member != index }
        breakExchanges(of: index)
        breakConnections(of: index)
    }

    /// The process dies soon, after a step of a commit: not in between, as most do.
    package func crashSoon(_ index: Int) {
        let node = nodes[index]
        let end: ProcessEnd = diskChance(0.5) ? .killed : .powerCut
        guard node.process != nil, diskChance(0.5) else { return crash(index, end) }
        let step: SimulatedDisk.Step = [.commit, .answer, .tell][diskPick(0..<3)]
        node.disk.lastStep = (step, end)
        let epoch = node.epoch
        perform(in: .milliseconds(500)) { world in if node.epoch == epoch { world.crash(index, end) } }
    }

    func dieIfDue(_ index: Int, after step: SimulatedDisk.Step) {
        if let last = nodes[index].disk.lastStep, last.step == step { crash(index, last.end) }
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
        guard isQuiet(node) else {
            return perform(in: .milliseconds(5)) { $0.leaveWhenDrained(index, epoch: epoch) }
        }
        feed(.leave, to: index)
        settle(index)
    }

    func endSoon(_ index: Int) {
        let epoch = nodes[index].epoch
        perform(in: NodeCore.farewell) { world in
            if world.nodes[index].epoch == epoch { world.end(index, .closed) }
        }
    }

    /// No commit is under way, and all have heard of those that were made.
    func isQuiet(_ node: SimulatedNode) -> Bool {
        !node.disk.isCommitting && !node.replica.isBusy && node.process?.unanswered.isEmpty != false
            && node.replica.committed.waiting.count == 0
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
