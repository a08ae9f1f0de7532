internal import Glibc
internal import Reports
internal import Runtime

/// Clusters of three real nodes over each transport, seen from outside.
package struct ClusterBenchmark: Sendable {
    package struct Options: Sendable {
        /// Kinds as the configuration names them; every figure of a cluster is measured for each.
        package var transports: [String]
        /// base64; empty for none.
        package var key = ""
        /// How often each rate of one node is measured, in turn with the others.
        package var rounds = 3
        /// Of each rate in each round.
        package var secondsPerPoint = 3.0
        /// Writes whose arrival on the other nodes is timed.
        package var latencyRounds = 1_000
        /// Creates of the burst, which a new node then gets.
        package var todos = 20_000
        /// Without requests, while traffic and processor time are counted.
        package var idleSeconds = 10.0
        /// Todos of the large sync; 0 leaves it out.
        package var largeTodos = 1_000_000

        package init(transports: [String]) { self.transports = transports }
    }

    private let fleet: Fleet
    private let options: Options

    package init(_ options: Options, fleet: Fleet) { (self.options, self.fleet) = (options, fleet) }

    /// Minutes. What it starts has ended when it returns, also when its task is cancelled.
    package func run(
        machine: Machine, _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> BenchmarkReport {
        try await withTaskCancellationHandler {
            defer { fleet.endAll() }
            return try await measure(BenchmarkReport("cluster", machine: machine, settings: settings), progress)
        } onCancel: {
            fleet.endAll()
        }
    }

    private func measure(
        _ empty: BenchmarkReport, _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> BenchmarkReport {
        var report = empty
        let raw = try await DatabasePair.makeRaw("\(fleet.directory)/limit.db")
        let single = SingleNodeBenchmark(
            fleet: fleet, raw: raw, rounds: options.rounds, secondsPerPoint: options.secondsPerPoint)
        let one = try await Blocking.run { try single.run { progress("one node: \($0)") } }
        report.tables += one.tables
        report.charts.append(one.chart)
        let latency = LatencyBenchmark(fleet: fleet, options: options)
        let delays = try await Blocking.run { try latency.run(progress) }
        report.tables.append(delays.table)
        report.charts.append(delays.chart)
        var table = BenchmarkReport.Table(
            "Three nodes", subject: "figure", columns: options.transports, note: Self.note(options))
        var figures: [[Scene: Double]] = []
        for transport in options.transports {
            let life = LifeBenchmark(fleet: fleet, options: options, transport: transport)
            figures.append(try await Blocking.run { try life.run(progress) })
        }
        for scene in Scene.allCases { table.add(scene.rawValue, figures.map { $0[scene] }) }
        report.tables.append(table)
        if options.largeTodos > 0 {
            let large = try await LargeBenchmark(fleet: fleet, options: options).run(progress)
            report.tables.append(large.table)
            report.charts += large.charts
        }
        return report
    }

    private var settings: [BenchmarkReport.Setting] {
        [
            .init("transports", options.transports.joined(separator: ", ")),
            .init("encrypted", options.key.isEmpty ? "no" : "yes"), .init("synchronous", "full"),
            .init("todo", "29 bytes of text"),
        ]
    }

    private static func note(_ options: Options) -> String {
        """
        Times in seconds unless said otherwise, each measured once. Formed: process start until all are ready and see all \
        alive. Idle: \(options.idleSeconds.short) s without requests; processor time of the busiest node; bytes that the \
        loopback device carried, headers of IP and above with them, by three, whoever sent them: nothing else should run. Burst: \(options.todos) creates by 64 connections \
        on one node; equal: from the last answer until all show the same fingerprint and number. New node: process start to \
        ready, with everything there. Suspect and failed: from kill -9 until both others say so.
        """
    }
}

/// What is measured on a cluster of three, in this order.
enum Scene: String, CaseIterable {
    case formed = "formed and ready"
    case idleProcessor = "idle: % of a core"
    case idleMemory = "idle: MB resident"
    case idleBytes = "idle: bytes/s and node"
    case burstRate = "burst: creates/s"
    case burstEqual = "burst: equal after"
    case burstMemory = "with the todos: MB resident"
    case newNode = "new node ready"
    case suspect = "kill -9: suspect"
    case failed = "kill -9: failed"
    case restarted = "restart: ready"
}
