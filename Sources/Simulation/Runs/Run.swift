internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// One run of one seed: the cluster starts, clients write while faults strike, everything is mended, and the checkers
/// look.
package struct Run {
    /// What is run.
    package struct Plan: Sendable {
        package var options = WorldOptions()
        /// How long clients write and faults strike.
        package var chaosTime: Duration = .seconds(60)
        /// How long a healed cluster may take to be whole and equal. It is much less than this mostly.
        package var healTime: Duration = .seconds(60)
        /// Writes a second, of all clients together.
        package var writesPerSecond = 20.0
        /// Keys that clients share, so that they contend.
        package var sharedKeys = 20

        package init() {}
    }

    /// What came of it.
    package struct Result: Sendable {
        package var seed: UInt64
        package var violations: [Violation]
        package var stats: WorldStats
        package var acknowledgedCount: Int
        package var refusedCount: Int
        package var exemptedCount: Int
        /// From the end of all faults until everything was whole and equal; `nil` for never.
        package var healedAfter: Duration?
        /// Equal for equal runs.
        package var fingerprint: UInt64
        package var todoCount: Int
        /// Where nothing but packets went wrong.
        package var spread: Spread?
    }

    private let plan: Plan
    private let seed: UInt64
    private let world: World

    /// `watch` gets a line for whatever happens.
    package static func result(of plan: Plan, seed: UInt64, watch: ((String) -> Void)? = nil) -> Result {
        var run = Run(plan, seed: seed, watch)
        return run.run()
    }

    private init(_ plan: Plan, seed: UInt64, _ watch: ((String) -> Void)?) {
        self.plan = plan
        self.seed = seed
        world = World(plan.options, seed: seed, watch: watch)
        if plan.options.faults.onlyTouchPackets { world.spread = Spread(nodeCount: plan.options.nodeCount) }
    }

    private mutating func run() -> Result {
        Chaos(faults: plan.options.faults, end: .zero + .seconds(3) + plan.chaosTime).beginEarly(in: world)
        for index in world.nodes.indices {
            world.perform(in: world.generator.duration(in: .zero...(.milliseconds(500)))) { $0.start(index) }
        }
        world.run(until: .zero + .seconds(3))
        let end = world.now + plan.chaosTime
        Chaos(faults: plan.options.faults, end: end).begin(in: world)
        Workload(plan: plan, end: end).begin(in: world)
        while world.now < end {
            world.run(until: min(end, world.now + .seconds(1)))
            world.checkBounds()
            world.checkStarts()
            world.checkViews()
        }
        let healedAfter = heal()
        world.checkViews()
        world.checkData()
        world.checkFiles()
        world.checkSpread()
        for node in world.present {
            let root = node.replica.summary.root
            world.trace.note(UInt64(truncatingIfNeeded: root), UInt64(truncatingIfNeeded: root >> 64))
        }
        return Result(
            seed: seed, violations: world.violations, stats: world.stats,
            acknowledgedCount: world.ledger.acknowledgedCount, refusedCount: world.ledger.refusedCount,
            exemptedCount: world.ledger.exemptedCount, healedAfter: healedAfter, fingerprint: world.fingerprint,
            todoCount: world.present[0].replica.rows.values.count { !$0.row.isDeleted }, spread: world.spread)
    }

    /// Everything is mended; the cluster has some time to be whole and equal again.
    private func heal() -> Duration? {
        world.mend()
        let start = world.now
        while world.now < start + plan.healTime {
            world.run(until: world.now + .milliseconds(50))
            if world.areSynced, world.areEqual, world.isWhole, world.isQuiet { return world.now - start }
        }
        if !world.isWhole { world.violate(.notWhole, "after \(plan.healTime)") }
        if !world.areReady { world.violate(.notWhole, "not all are open after \(plan.healTime)") }
        if !world.areSynced { world.violate(.notWhole, "not all are synced after \(plan.healTime)") }
        return nil
    }
}

/// Clients of all nodes: they create, change, tick, and delete, some of it the same todos.
struct Workload {
    let plan: Run.Plan
    let end: EngineInstant

    func begin(in world: World) { plan(in: world) }

    private func plan(in world: World) {
        let mean = 1e9 / max(plan.writesPerSecond, 0.001)
        let uniform = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &world.generator)
        let wait = Duration.nanoseconds(Int64(-Chaos.logarithm(uniform) * mean))
        guard world.now + wait < end else { return }
        world.perform(in: wait) { world in
            write(in: world)
            world.checkRead("shared-\(world.pick(0..<plan.sharedKeys))", on: world.pick(0..<world.nodes.count))
            plan(in: world)
        }
    }

    private func write(in world: World) {
        let index = world.pick(0..<world.nodes.count)
        world.writeCount += 1
        let number = world.writeCount
        let shared = "shared-\(world.pick(0..<plan.sharedKeys))"
        switch world.pick(0..<10) {
        case 0..<3: world.write(.create(text: "text \(number)"), key: "own-\(number)", on: index)
        case 3..<5: world.write(.create(text: "text \(number)"), key: shared, on: index)
        case 5..<7: world.write(.update(text: "text \(number)", completed: nil), key: shared, on: index)
        case 7..<8: world.write(.update(text: nil, completed: world.chance(0.5)), key: shared, on: index)
        case 8..<9:
            // Too large for a datagram.
            let text = String(repeating: "long ", count: 400)
            world.write(.update(text: text, completed: nil), key: shared, on: index)
        default: world.write(.delete, key: shared, on: index)
        }
    }
}

extension World {
    /// The end of all trouble: the network is whole, disks work, everybody runs. Clocks stay as they are.
    func mend() {
        isMended = true
        network.mendAll(at: now)
        cancelActions()
        for node in present {
            node.fillDisk(false)
            node.setFaults { ($0.failedReads, $0.failedWrites, $0.failedSyncs) = (0, 0, 0) }
            node.disk.slowUntil = .zero
            node.disk.wellSince = now
            if node.isCopy { replaceCopy(node.index) }
            // Who has said farewell does not come back by itself.
            if node.process?.isLeaving == true { kill(node.index) }
            if node.disk.isSpoilt { discardDatabase(of: node.index, for: nil) }
            // What has changed on a disk is noticed when it is read.
            if node.disk.isDamaged { kill(node.index) }
            if node.process == nil { start(node.index) }
        }
    }

    /// No commit is under way.
    var isQuiet: Bool { present.allSatisfy(isQuiet) }
}
