internal import Cluster
internal import Replication
internal import Transport

/// What a cluster of some size would do: how fast writes spread, what traffic costs, how soon the dead are found out.
package struct PlanningStudy {
    package struct Options: Sendable {
        package var transport = TransportKind.udp
        package var seed: UInt64 = 1
        /// Of each datagram, or of each segment, which then comes late.
        package var loss = 0.01
        package var writesPerSecond = 20.0
        /// Virtual time after the cluster has formed: a quarter idle, a half under writes, a quarter for deaths.
        package var time: Duration = .seconds(60)

        package var without: Set<Mechanism> = []

        package init() {}
    }

    /// A size of cluster, and what was measured with it. Times are in seconds, bytes are those on the wire with their
    /// headers.
    package struct Finding: Codable, Sendable {
        package var nodes: Int
        package var transport: String
        package var lossPercent: Double
        package var writesPerSecond: Double
        /// From the first start until everybody saw everybody; `nil` for not within two minutes.
        package var formedSeconds: Double?
        package var writes: Int
        /// Of the median write, until half of the nodes, 99 % of them and all had it.
        package var halfSeconds: Double?
        package var mostSeconds: Double?
        package var allSeconds: Double?
        /// Of the slowest write, until all had it.
        package var slowestSeconds: Double?
        /// Writes that did not reach every node while the run lasted.
        package var unfinishedWrites: Int
        /// Changes messages that a node had already, for each that it had not.
        package var duplicatesPerMessage: Double
        package var idleBytesPerSecondAndNode: Double
        package var loadedBytesPerSecondAndNode: Double
        /// Of the slowest of the deaths: first suspicion, first verdict, and until the last node knew.
        package var suspectedSeconds: Double?
        package var failedSeconds: Double?
        package var knownSeconds: Double?
        /// Views of a living member as failed.
        package var falsePositives: Int
        /// Packets that were simulated, to set against the time it took.
        package var packets: Int
    }

    private static let deaths = 3
    private let options: Options
    private let world: World
    private let count: Int

    /// Runs a cluster of `nodeCount`. The same options give the same finding.
    package static func finding(nodeCount: Int, _ options: Options) -> Finding {
        PlanningStudy(nodeCount, options).run()
    }

    private init(_ nodeCount: Int, _ options: Options) {
        self.options = options
        count = nodeCount
        var world = WorldOptions()
        world.nodeCount = nodeCount
        world.transport = options.transport
        world.faults.loss = options.loss
        world.without = options.without
        self.world = World(world, seed: options.seed)
    }

    private func run() -> Finding {
        let formed = form()
        let quarter = options.time / 4
        // What is left of the start is no part of standing idle.
        world.run(until: world.now + quarter / 2)
        let idle = bytesPerSecond(in: quarter / 2) {}
        world.spread = Spread(nodeCount: count)
        let before = replicationCounts
        let loaded = bytesPerSecond(in: quarter * 2) { write(until: world.now + quarter * 2 + (.zero - .seconds(3))) }
        let counts = (replicationCounts.received - before.received, replicationCounts.duplicates - before.duplicates)
        let detections = die(in: quarter)
        let spread = world.spread ?? Spread(nodeCount: count)
        func median(_ times: [Duration]) -> Double? { times.isEmpty ? nil : times[times.count / 2].inSeconds }
        return Finding(
            nodes: count, transport: options.transport.rawValue, lossPercent: options.loss * 100,
            writesPerSecond: options.writesPerSecond, formedSeconds: formed?.inSeconds, writes: spread.count,
            halfSeconds: median(spread.halfTimes), mostSeconds: median(spread.mostTimes),
            allSeconds: median(spread.allTimes), slowestSeconds: spread.allTimes.last?.inSeconds,
            unfinishedWrites: spread.unfinishedCount,
            duplicatesPerMessage: Double(counts.1) / Double(max(1, counts.0 - counts.1)),
            idleBytesPerSecondAndNode: idle, loadedBytesPerSecondAndNode: loaded,
            suspectedSeconds: detections.compactMap(\.firstSuspected).max()?.inSeconds,
            failedSeconds: detections.compactMap(\.firstFailed).max()?.inSeconds,
            knownSeconds: detections.contains { $0.allFailed == nil }
                ? nil : detections.compactMap(\.allFailed).max()?.inSeconds,
            falsePositives: world.stats.healthyFailures, packets: world.stats.packets)
    }

    /// Nodes start one after the other, 200 a second, as a deployment does.
    private func form() -> Duration? {
        for index in 0..<count { world.perform(in: .milliseconds(5 * index)) { $0.start(index) } }
        let limit = EngineInstant.zero + .seconds(120)
        while world.now < limit {
            world.run(until: world.now + .milliseconds(250))
            if world.isWhole && world.areReady { return world.now - .zero }
        }
        return nil
    }

    private func bytesPerSecond(in time: Duration, _ prepare: () -> Void) -> Double {
        let before = world.bytesOnWire
        prepare()
        world.run(until: world.now + time)
        return Double(world.bytesOnWire - before) / time.inSeconds / Double(count)
    }

    private func write(until end: EngineInstant) {
        let wait = Duration.nanoseconds(Int64(1e9 / max(options.writesPerSecond, 0.001)))
        guard world.now + wait < end else { return }
        world.perform(in: wait) { world in
            world.writeCount += 1
            let index = world.pick(0..<world.nodes.count)
            world.write(
                .create(text: "A todo of some forty characters of text."), key: "own-\(world.writeCount)", on: index)
            write(until: end)
        }
    }

    private func die(in time: Duration) -> [Detection] {
        let victims = (0..<min(Self.deaths, count / 3)).map { count - 1 - $0 }
        for (number, victim) in victims.enumerated() {
            world.perform(in: .milliseconds(200 * number)) { $0.killForGood(victim) }
        }
        world.run(until: world.now + time)
        return victims.compactMap { world.detections[$0] }
    }

    private var replicationCounts: (received: Int, duplicates: Int) {
        world.nodes.reduce((0, 0)) { sum, node in
            guard let stats = node.process?.core.replication.stats else { return sum }
            return (sum.0 + stats.receivedMessages, sum.1 + stats.duplicateMessages)
        }
    }
}

extension World {
    /// UDP and IP put 28 bytes before each datagram; TCP, IP and ZMTP about 60 to each frame, with the acknowledgement.
    private static let datagramHeader = 28
    private static let frameHeader = 60

    /// What has been sent so far, headers included; exchanges by their messages alone.
    var bytesOnWire: Int {
        let header = options.transport == .udp ? Self.datagramHeader : Self.frameHeader
        return stats.packetBytes + stats.packets * header + stats.exchangeBytes
    }
}
