internal import Transport

/// Nodes that stand still for a while, again and again (gray failure): who is declared failed, and how soon the paused are
/// back. The experiment of the Lifeguard paper (arXiv:1707.00788, section V).
package struct PauseStudy: Sendable {
    package struct Options: Sendable {
        package var nodeCount = 100
        package var transport = TransportKind.udp
        package var seed: UInt64 = 1
        package var time: Duration = .seconds(3_600)
        /// The share of the nodes that stands still now and then.
        package var pausedShare = 0.25
        package var pauseTime: Duration = .seconds(5)
        /// Of each of these nodes.
        package var pausesPerMinute = 1.0
        package var loss = 0.0
        package var without: Set<Mechanism> = []

        package init() {}
    }

    /// Verdicts are counted by observer: one member that all others declare failed counts once for each of them.
    package struct Finding: Sendable {
        package var pauses: Int
        package var suspicions: Int
        /// On members that never stood still.
        package var healthyVerdicts: Int
        /// On members that stood still some time.
        package var pausedVerdicts: Int
        /// From the end of a pause, or from the verdict if that came later, until the observer saw the member alive again.
        package var slowestReturn: Duration
        package var returns: Int
        /// Members that ran and were still seen as failed by somebody 10 s after the last pause.
        package var lasting: Int
        package var packets: Int
    }

    package static func finding(_ options: Options) -> Finding {
        var world = WorldOptions()
        world.nodeCount = options.nodeCount
        world.transport = options.transport
        world.without = options.without
        world.faults.loss = options.loss
        world.faults.pausedShare = options.pausedShare
        world.faults.pauseTime = options.pauseTime...options.pauseTime
        world.faults.pauses = options.pausesPerMinute * options.pausedShare * Double(options.nodeCount)
        return run(World(world, seed: options.seed), options)
    }

    private static func run(_ world: World, _ options: Options) -> Finding {
        for index in world.nodes.indices { world.perform(in: .milliseconds(5 * index)) { $0.start(index) } }
        let limit = EngineInstant.zero + .seconds(120)
        while world.now < limit, !world.isWhole { world.run(until: world.now + .milliseconds(250)) }
        let before = world.stats
        let end = world.now + options.time
        Chaos(faults: world.options.faults, end: end).begin(in: world)
        world.run(until: end + options.pauseTime + .seconds(10))
        let stats = world.stats
        let healthy = stats.healthyFailures - before.healthyFailures
        return Finding(
            pauses: stats.faults - before.faults, suspicions: stats.suspicions - before.suspicions,
            healthyVerdicts: healthy, pausedVerdicts: stats.failures - before.failures - healthy,
            slowestReturn: stats.slowestReturn, returns: stats.returns - before.returns,
            lasting: world.failedViews.count, packets: stats.packets)
    }
}
