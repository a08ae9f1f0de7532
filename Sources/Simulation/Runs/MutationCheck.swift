internal import Reports
package import Runtime

/// Switches off one mechanism at a time and looks who notices: what nobody misses is either untested or not needed.
package struct MutationCheck: Sendable {
    /// Where a mechanism is missed.
    package struct Scene: Sendable {
        package var mechanism: Mechanism
        /// A preset, and rates that differ from it.
        package var faults: String
        var rates: [String: Double]
        package var transport: TransportKind
        var store: StoreKind
        package var nodeCount: Int
        package var seconds: Int
        var writesPerSecond: Double

        init(
            _ mechanism: Mechanism, _ faults: String, _ transport: TransportKind, nodes: Int = 5, seconds: Int = 30,
            writes: Double = 20, store: StoreKind = .memory, rates: [String: Double] = [:]
        ) {
            self.store = store
            self.rates = rates
            writesPerSecond = writes
            self.mechanism = mechanism
            self.faults = faults
            self.transport = transport
            nodeCount = nodes
            self.seconds = seconds
        }

        /// The preset and the rates that differ from it.
        package var faultsText: String {
            ([faults] + rates.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.short)" }).joined(separator: " ")
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
        Scene(.gapPull, "loss", .udp, nodes: 16),
        Scene(.eagerBroadcast, "none", .udp),
        Scene(.eagerBroadcast, "none", .zmq),
        Scene(.relays, "loss", .udp, nodes: 40, seconds: 20),
        Scene(.heartbeats, "loss", .udp, nodes: 12),
        // Where little is written, no later change of the same writer shows the hole.
        Scene(.heads, "none", .udp, nodes: 90, seconds: 40, writes: 4),
        // Who does not reach a writer learns of its changes from others.
        Scene(.heads, "bridges", .udp),
        Scene(.readiness, "donors", .udp, seconds: 60),
        Scene(.failover, "donors", .udp),
        // Where there are others, or many writes, those and the rows tell how late it is.
        Scene(.durableClock, "clocks", .udp, nodes: 1, seconds: 120, writes: 1, rates: ["any-clock": 1]),
        // Where all nodes lose power at once, nobody else has it.
        Scene(.sync, "crashes", .udp, nodes: 3, seconds: 120, store: .sqlite),
        Scene(.clockHold, "clocks", .udp, seconds: 120),
        Scene(.handOver, "farewells", .udp, nodes: 3, seconds: 60, writes: 300),
        Scene(.refutation, "pauses", .udp, seconds: 90),
        Scene(.suspicion, "pauses", .udp, seconds: 60),
        Scene(.pauseClock, "distant", .udp, seconds: 90),
        Scene(.indirectProbes, "bridges", .udp),
        Scene(.rejoining, "cuts", .udp, seconds: 60),
        // A node that was wiped is the first to start after a power cut.
        Scene(.startWait, "none", .udp, nodes: 3, seconds: 90, rates: ["lost-disks": 6, "power-losses": 8]),
        // All start at once, and no seed is there any more.
        Scene(.memory, "none", .udp, seconds: 60, rates: ["gone-seeds": 1, "power-losses": 10]),
        // Disks are full for up to 25 s.
        Scene(
            .standing, "donors", .udp, seconds: 60,
            rates: ["crashes": 0, "donor-deaths": 0, "full-disks": 4]),
        Scene(
            .checksums, "none", .udp, nodes: 3, seconds: 60, store: .sqlite, rates: ["text-flips": 30, "crashes": 10]),
    ]

    package static func plan(_ scene: Scene, isOff: Bool) -> Run.Plan {
        var plan = Run.Plan()
        plan.options.faults = Faults.presets[scene.faults] ?? Faults()
        for (name, rate) in scene.rates {
            if let path = Faults.rates[name] { plan.options.faults[keyPath: path] = rate }
        }
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
