package import Runtime

/// Switches off one mechanism at a time and looks who notices: what nobody misses is either untested or not needed.
package struct MutationCheck: Sendable {
    /// Where a mechanism is missed.
    package struct Scene: Sendable {
        package var mechanism: Mechanism
        package var faults: String
        package var transport: TransportKind
        var store: StoreKind
        package var nodeCount: Int
        package var seconds: Int
        var writesPerSecond: Double

        init(
            _ mechanism: Mechanism, _ faults: String, _ transport: TransportKind, nodes: Int = 5, seconds: Int = 30,
            writes: Double = 20, store: StoreKind = .memory
        ) {
            self.store = store
            writesPerSecond = writes
            self.mechanism = mechanism
            self.faults = faults
            self.transport = transport
            nodeCount = nodes
            self.seconds = seconds
        }
    }

    /// What came of one scene over some seeds.
    package struct Finding: Sendable {
        package var scene: Scene
        /// Seeds with a violation while everything was on, and while the mechanism was off.
        package var failedWith: Int
        package var failedWithout: Int
        /// Who noticed, and in how many seeds.
        package var checkers: [Violation.Checker: Int]

        package var isNoticed: Bool { failedWith == 0 && failedWithout > 0 }
    }

    package static let scenes: [Scene] = [
        Scene(.walks, "crashes", .udp),
        Scene(.walks, "cuts", .zmq),
        Scene(.gapPull, "loss", .udp, nodes: 12),
        Scene(.eagerBroadcast, "none", .udp),
        Scene(.eagerBroadcast, "none", .zmq),
        Scene(.relays, "loss", .udp, nodes: 40, seconds: 20),
        Scene(.heartbeats, "loss", .udp, nodes: 12),
        // Where little is written, no later change of the same writer shows the hole.
        Scene(.heads, "none", .udp, nodes: 90, seconds: 40, writes: 4),
        // Who does not reach a writer learns of its changes from others.
        Scene(.heads, "bridges", .udp),
        Scene(.readiness, "crashes", .udp),
        Scene(.failover, "donors", .udp),
        // Where many are written, rows tell how late it is.
        Scene(.durableClock, "clocks", .udp, nodes: 3, seconds: 180, writes: 0.1),
        // Where all nodes lose power at once, nobody else has it.
        Scene(.sync, "crashes", .udp, nodes: 3, seconds: 120, store: .sqlite),
        Scene(.clockHold, "clocks", .udp, seconds: 120),
        Scene(.handOver, "farewells", .udp, nodes: 3, seconds: 60, writes: 300),
        Scene(.refutation, "pauses", .udp, seconds: 90),
        Scene(.suspicion, "pauses", .udp, seconds: 60),
        Scene(.pauseClock, "distant", .udp, seconds: 90),
        Scene(.indirectProbes, "bridges", .udp),
        Scene(.rejoining, "cuts", .udp),
    ]

    package static func plan(_ scene: Scene, isOff: Bool) -> Run.Plan {
        var plan = Run.Plan()
        plan.options.faults = Faults.presets[scene.faults] ?? Faults()
        plan.options.transport = scene.transport
        plan.options.store = scene.store
        plan.options.nodeCount = scene.nodeCount
        plan.options.without = isOff ? [scene.mechanism] : []
        plan.chaosTime = .seconds(scene.seconds)
        plan.writesPerSecond = scene.writesPerSecond
        plan.healTime = .seconds(30)
        return plan
    }

    /// Blocks the calling thread. Throws as `Campaign.run` does.
    package static func finding(
        _ scene: Scene, seeds: ClosedRange<UInt64>, threadCount: Int
    ) throws(SystemThread.Refused) -> Finding {
        var finding = Finding(scene: scene, failedWith: 0, failedWithout: 0, checkers: [:])
        try Campaign.run(seeds, plan: { _ in plan(scene, isOff: false) }, threadCount: threadCount) { result in
            if !result.violations.isEmpty { finding.failedWith += 1 }
            return true
        }
        try Campaign.run(seeds, plan: { _ in plan(scene, isOff: true) }, threadCount: threadCount) { result in
            if !result.violations.isEmpty { finding.failedWithout += 1 }
            for checker in Set(result.violations.map(\.checker)) { finding.checkers[checker, default: 0] += 1 }
            return true
        }
        return finding
    }
}
