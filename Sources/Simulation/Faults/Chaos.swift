internal import Replication
internal import Transport

/// Brings faults about at their rates, for a while. Each is undone after its time, at the latest by `World.heal`.
struct Chaos {
    private struct Fault {
        var name: String
        var perMinute: Double
        var strike: (World) -> Void
    }

    let faults: Faults
    let end: EngineInstant

    /// Plans the first of each kind; each plans its next.
    func begin(in world: World) {
        if world.chance(faults.goneSeeds) { loseSeeds(world) }
        for fault in all where fault.perMinute > 0 { plan(fault, in: world) }
        guard world.options.store == .sqlite else { return }
        for fault in ofFiles where fault.perMinute > 0 { plan(fault, in: world) }
    }

    /// What is wrong before the first node starts.
    func beginEarly(in world: World) {
        if world.chance(faults.earlySplits) { split(world) }
    }

    /// The time to the next is exponential: faults come together as readily as apart.
    private func plan(_ fault: Fault, in world: World) {
        let uniform = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &world.generator)
        let nanoseconds = -Self.logarithm(uniform) / fault.perMinute * 60e9
        guard nanoseconds < Double((end - world.now).wholeNanoseconds) else { return }
        let wait = Duration.nanoseconds(Int64(nanoseconds))
        world.perform(in: wait) { world in
            world.stats.faults += 1
            world.trace.note(4, world.now.nanoseconds)
            world.trace.note(Array(fault.name.utf8))
            world.say("fault: \(fault.name)")
            fault.strike(world)
            plan(fault, in: world)
        }
    }

    /// The natural logarithm of 0 < x < 1 by its series: the same bits on every machine, which the C library's need not
    /// be.
    static func logarithm(_ value: Double) -> Double {
        var mantissa = value
        var exponent = 0.0
        while mantissa < 0.5 {
            mantissa *= 2
            exponent -= 1
        }
        // ln m = 2 artanh((m - 1) / (m + 1))
        let ratio = (mantissa - 1) / (mantissa + 1)
        var (term, sum) = (ratio, 0.0)
        for index in 0..<16 {
            sum += term / Double(2 * index + 1)
            term *= ratio * ratio
        }
        return 2 * sum + exponent * 0.693_147_180_559_945_3
    }

    private var all: [Fault] {
        [
            Fault(name: "one-way cut", perMinute: faults.oneWayCuts, strike: oneWayCut),
            Fault(name: "bridge", perMinute: faults.bridgeCuts, strike: bridge),
            Fault(name: "split", perMinute: faults.splits, strike: split),
            Fault(name: "crash", perMinute: faults.crashes) { world in
                world.crashSoon(world.pick(0..<world.nodes.count))
            },
            Fault(name: "power loss", perMinute: faults.powerLosses) { world in
                for index in world.nodes.indices { world.crash(index, .powerCut) }
            },
            Fault(name: "join storm", perMinute: faults.joinStorms, strike: joinStorm),
            Fault(name: "leave", perMinute: faults.leaves, strike: leave),
            Fault(name: "departure", perMinute: faults.departures, strike: depart),
            Fault(name: "pause", perMinute: faults.pauses) { world in
                let count = max(1, Int(Double(world.nodes.count) * faults.pausedShare))
                world.pause(world.pick(0..<count), for: world.generator.duration(in: faults.pauseTime))
            },
            Fault(name: "clock jump", perMinute: faults.clockJumps, strike: clockJump),
            Fault(name: "clock freeze", perMinute: faults.clockFreezes, strike: clockFreeze),
            Fault(name: "slow disk", perMinute: faults.slowDisks) { world in
                let node = world.nodes[world.pick(0..<world.nodes.count)]
                node.disk.slowUntil = world.now + world.generator.duration(in: faults.downTime)
            },
            Fault(name: "full disk", perMinute: faults.fullDisks, strike: fullDisk),
            Fault(name: "copied database", perMinute: faults.copiedDatabases, strike: copyDatabase),
            Fault(name: "restored backup", perMinute: faults.restoredBackups, strike: restoreBackup),
            Fault(name: "rename", perMinute: faults.renames, strike: rename),
            Fault(name: "address swap", perMinute: faults.addressSwaps, strike: swapAddresses),
            Fault(name: "lost disk", perMinute: faults.lostDisks, strike: loseDisk),
            Fault(name: "loss for good", perMinute: faults.goneNodes, strike: goForGood),
            Fault(name: "lonely start", perMinute: faults.lonelyStarts, strike: startAlone),
            Fault(name: "burst", perMinute: faults.bursts, strike: burst),
            Fault(name: "overload", perMinute: faults.overloads, strike: overload),
        ]
    }

    /// Where databases are files.
    private var ofFiles: [Fault] {
        [
            Fault(name: "bad disk", perMinute: faults.badDisks, strike: badDisk),
            Fault(name: "bit flip", perMinute: faults.bitFlips) { world in
                world.flipBit(of: world.diskPick(0..<world.nodes.count))
            },
            Fault(name: "text flip", perMinute: faults.textFlips) { world in
                world.flipText(of: world.diskPick(0..<world.nodes.count))
            },
        ]
    }

    // MARK: Network

    private func cut(_ pairs: [(Int, Int)], in world: World) {
        let range = world.hasShortMemory ? Faults.longCutTime : faults.cutTime
        cut(pairs, for: world.generator.duration(in: range), in: world)
    }

    func cut(_ pairs: [(Int, Int)], for time: Duration, in world: World) {
        for (from, to) in pairs { world.network.cut(from, to) }
        world.say("cut for \(time.inSeconds) s: \(pairs.map { "\($0.0)-\($0.1)" }.joined(separator: " "))")
        world.perform(in: time) { world in
            for (from, to) in pairs { world.network.mend(from, to, at: world.now) }
        }
    }

    private func oneWayCut(_ world: World) {
        let (from, to) = pair(world)
        cut([(from, to)], in: world)
    }

    private func bridge(_ world: World) {
        let (from, to) = pair(world)
        cut([(from, to), (to, from)], in: world)
    }

    private func split(_ world: World) {
        let isLeft = world.nodes.map { _ in world.chance(0.5) }
        var pairs: [(Int, Int)] = []
        for from in world.nodes.indices {
            for to in world.nodes.indices where isLeft[from] != isLeft[to] { pairs.append((from, to)) }
        }
        cut(pairs, in: world)
    }

    func pair(_ world: World) -> (Int, Int) {
        let from = world.pick(0..<world.nodes.count)
        let to = (from + 1 + world.pick(0..<max(1, world.nodes.count - 1))) % world.nodes.count
        return (from, to)
    }

    // MARK: Processes

    private func joinStorm(_ world: World) {
        for index in world.nodes.indices where world.chance(0.7) {
            world.crash(index, downTime: world.generator.duration(in: .zero...(.seconds(1))))
        }
    }

    private func leave(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        world.leave(index)
        let time = world.generator.duration(in: faults.downTime) + Self.longestLeave
        world.perform(in: time) { $0.start(index) }
    }

    /// A node leaves for good, with its database; another takes its place with an empty one. Only where it said that
    /// others have everything: else the operator keeps the database.
    private func depart(_ world: World) {
        let node = world.nodes[world.pick(0..<world.nodes.count)]
        guard node.process != nil, !node.isCopy else { return }
        let epoch = node.epoch
        node.handOver = nil
        node.isDeparting = true
        world.leave(node.index)
        world.perform(in: Self.longestLeave) { world in
            node.isDeparting = false
            guard node.process == nil, node.epoch == epoch + 1 else { return }
            if node.handOver == .safe { world.discardDatabase(of: node.index, for: nil, isExempt: false) }
            world.start(node.index)
        }
    }

    /// The hand-over, the farewell, and some room.
    private static let longestLeave: Duration = .seconds(4)

    // MARK: Clocks

    private func clockJump(_ world: World) {
        guard let node = nodeAstray(world) else { return }
        let jump = Int64.random(in: -World.day...World.day, using: &world.generator)
        node.clock.offsetMilliseconds += jump
        // Somebody sets it right again; of two jumps at once the one back may come first.
        world.perform(in: world.generator.duration(in: faults.downTime)) { _ in
            node.clock.offsetMilliseconds -= jump
        }
    }

    private func nodeAstray(_ world: World) -> SimulatedNode? {
        world.astray.sorted().randomElement(using: &world.generator).map { world.nodes[$0] }
    }

    private func clockFreeze(_ world: World) {
        guard let node = nodeAstray(world) else { return }
        node.clock.freeze(at: world.now)
        world.perform(in: world.generator.duration(in: faults.downTime)) { _ in node.clock.thaw() }
    }

    // MARK: Databases

    private func fullDisk(_ world: World) {
        let node = world.nodes[world.pick(0..<world.nodes.count)]
        node.fillDisk(true)
        world.perform(in: world.generator.duration(in: faults.downTime)) { world in
            node.fillDisk(false)
            node.disk.wellSince = world.now
        }
    }

    private func badDisk(_ world: World) {
        let node = world.nodes[world.diskPick(0..<world.nodes.count)]
        let rates = [0, 0.02, 0.3]
        let time = world.diskGenerator.duration(in: faults.downTime)
        node.disk.slowUntil = max(node.disk.slowUntil, world.now + time)
        node.setFaults { faults in
            faults.failedReads = rates[world.diskPick(0..<3)]
            faults.failedWrites = rates[world.diskPick(0..<3)]
            faults.failedSyncs = rates[world.diskPick(0..<3)]
        }
        world.perform(in: time) { world in
            node.setFaults { ($0.failedReads, $0.failedWrites, $0.failedSyncs) = (0, 0, 0) }
            node.disk.wellSince = world.now
        }
    }

    // MARK: Clients

    /// More than a node can take, at all of them, one of which is out of breath: it works for moments only.
    private func overload(_ world: World) {
        for number in 0..<faults.overloadWrites {
            world.perform(in: .microseconds(500 * number)) { world in
                world.writeCount += 1
                let index = world.pick(0..<world.nodes.count)
                world.write(.create(text: "overload"), key: "overload-\(world.writeCount)", on: index)
            }
        }
        let index = world.pick(0..<world.nodes.count)
        for number in 0..<20 {
            world.perform(in: .milliseconds(100 * number)) { world in
                world.pause(index, for: world.generator.duration(in: .milliseconds(20)...(.milliseconds(95))))
            }
        }
    }

    private func burst(_ world: World) {
        let index = world.pick(0..<world.nodes.count)
        for number in 0..<faults.burstWrites {
            world.perform(in: .microseconds(50 * number)) { world in
                world.writeCount += 1
                world.write(.create(text: "burst"), key: "burst-\(world.writeCount)", on: index)
            }
        }
    }
}

extension World {
    /// The process dies, and is started again after a while.
    func crash(_ index: Int, _ end: ProcessEnd = .killed, downTime: Duration? = nil) {
        self.end(index, end)
        let time = downTime ?? generator.duration(in: options.faults.downTime)
        perform(in: time) { $0.start(index) }
    }

    /// A database is thrown away, for `replacement` or an empty one with a new id. What only it held may be gone.
    func discardDatabase(of index: Int, for replacement: (any NodeDatabase)?, isExempt: Bool = true) {
        kill(index)
        let node = nodes[index]
        node.discardedAt = now
        if isExempt { exempt(node.replica, of: index, replacement: replacement) }
        // A damaged file may not show any more what its process had.
        if let lost = node.disk.lastContents { exempt(lost, of: index, replacement: replacement) }
        node.replica = replacement ?? makeDatabase(NodeID(generator.next() | 1))
        (lastTimes[index], lastStarts[index]) = (nil, nil)
        node.disk = SimulatedDisk()
        node.isCopy = false
    }

    /// The operator has noticed that a node runs on a copy: it gets a new database.
    func replaceCopy(_ index: Int) {
        discardDatabase(of: index, for: nil)
        start(index)
    }
}
