internal import Foundation
internal import Reports
internal import Replication
internal import Runtime
internal import Store

/// A full sync of many todos to an empty node under live writes, against a C loop that merges the same rows; and the repair of
/// a few that differ among them.
struct LargeBenchmark: Sendable {
    static let differingTodos = 100
    /// Rows in one transaction of the C loop: as many as the store takes.
    private static let batch = 2_000
    private static let liveWrites = 100

    private struct Found {
        /// Rows a second of the C loop.
        var limit = 0.0
        var seconds = 0.0
        var donorGrowth = 0.0
        var joinerGrowth = 0.0
        var liveWrites = 0
        var repairSeconds = 0.0
        var repairBytes = 0.0
        var roundTrips: Double?
    }

    let fleet: Fleet
    let options: ClusterBenchmark.Options

    func run(
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> (table: BenchmarkReport.Table, charts: [Chart]) {
        let numbers = SampleRows.inKeyOrder(options.largeTodos)
        progress("making \(options.largeTodos) todos")
        let source = try await makeSource(numbers)
        var table = BenchmarkReport.Table(
            "\(options.largeTodos) todos", subject: "figure", columns: options.transports,
            note: """
                Full sync: an empty node's process start to ready, while a client makes \(Self.liveWrites) todos a second on the \
                donor. The C loop merges the same rows in key order into a database of the same schema, \(Self.batch) to a \
                transaction, with a look-up of each, once before each transport's turn. Memory: most of each node during the sync, less that \
                of the donor before it, of the joiner when it ran alone and empty. Repair: of \(Self.differingTodos) todos that \
                were changed while one of the two nodes was down; bytes are all that the loopback device carried from that \
                node's start until the data was equal, with joining, heartbeats and headers.
                """)
        var found: [Found] = []
        for transport in options.transports {
            progress("the C loop merges \(options.largeTodos) todos")
            let limit = try await measureLimit(numbers, name: transport)
            var one = try await Blocking.run {
                try sync(transport, source: source) { progress("\(options.largeTodos) todos, \(transport): \($0)") }
            }
            one.limit = limit
            found.append(one)
        }
        let rows = Double(options.largeTodos)
        table.add("full sync: s", found.map(\.seconds))
        table.add("full sync: rows/s", found.map { rows / $0.seconds })
        table.add("C loop: rows/s", found.map(\.limit))
        table.add("of the C loop", found.map { rows / $0.seconds / $0.limit })
        table.add("donor's memory: MB more", found.map(\.donorGrowth))
        table.add("joiner's memory: MB more", found.map(\.joinerGrowth))
        table.add("live writes meanwhile", found.map { Double($0.liveWrites) })
        table.add("repair of \(Self.differingTodos): s from process start", found.map(\.repairSeconds))
        table.add("repair: kB on the wire", found.map { $0.repairBytes / 1e3 })
        table.add("repair: round trips", found.map(\.roundTrips))
        let bars = zip(options.transports, found).enumerated().map { index, pair in
            [
                BarChart.Bar(pair.0, rows / pair.1.seconds, kind: index),
                BarChart.Bar("C loop beside it", pair.1.limit, kind: 3),
            ]
        }
        let chart = BarChart(title: "full sync: rows/s", bars: bars.flatMap { $0 })
        return (table, [.bars(chart)])
    }

    /// The path of a database with the todos, made by a store.
    private func makeSource(_ numbers: [Int]) async throws -> String {
        let path = "\(fleet.directory)/large.db"
        let store = try await DatabasePair.open(path)
        for start in stride(from: 0, to: numbers.count, by: Self.batch) {
            try Task.checkCancellation()
            let rows = numbers[start..<min(start + Self.batch, numbers.count)].map { EncodedRow(SampleRows.row($0)) }
            _ = try await store.merge(rows)
        }
        await store.close()
        return path
    }

    /// How many rows a second the C loop merges.
    private func measureLimit(_ numbers: [Int], name: String) async throws -> Double {
        let path = "\(fleet.directory)/large-limit-\(name).db"
        let raw = try await DatabasePair.makeRaw(path)
        let measured = try await Blocking.run { [fleet] in
            var measured = Measured()
            for start in stride(from: 0, to: numbers.count, by: Self.batch) {
                try fleet.check()
                let rows = RawRows(numbers[start..<min(start + Self.batch, numbers.count)].map(SampleRows.row))
                try measured.time { try raw.merge(rows, 0..<rows.count, newsCount: rows.count) }
                measured.count += rows.count
            }
            return measured
        }
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        return measured.rate
    }

    private func sync(_ transport: String, source: String, _ progress: (String) -> Void) throws -> Found {
        var found = Found()
        let ports = try Fleet.freePorts(6)
        let nodes = (0..<3).map { index in
            Node(
                "large-\(transport)-\(index + 1)", in: fleet, port: ports[index], httpPort: ports[3 + index],
                Node.Options(
                    transport: transport, key: options.key, seeds: index == 2 ? [] : [ports[0], ports[1]],
                    logLevel: "info"))
        }
        let (donor, joiner, idle) = (nodes[0], nodes[1], nodes[2])
        defer { for node in nodes { node.stop() } }
        progress("the donor opens them")
        try FileManager.default.copyItem(atPath: source, toPath: donor.databasePath)
        try donor.start()
        try waitUntil(300, "the donor is ready", pause: 20_000) { () throws(BenchmarkError) in try donor.isReady() }
        try idle.start()
        try waitUntil(30, "an empty node is ready", pause: 20_000) { () throws(BenchmarkError) in try idle.isReady() }
        let emptyMegabytes = idle.figures.residentMegabytes
        idle.stop()

        progress("full sync")
        let donorMegabytes = donor.figures.residentMegabytes
        donor.figures.resetPeak()
        let writer = SteadyWriter(port: donor.httpPort, perSecond: Self.liveWrites) {
            HTTPRequestText.create("live-\($0)", "Buy groceries and cook dinner")
        }
        try writer.start()
        let stopwatch = Stopwatch()
        do {
            defer { found.liveWrites = writer.stop() }
            try joiner.start()
            try waitUntil(900, "the new node is ready", pause: 10_000) { () throws(BenchmarkError) in
                try joiner.isReady()
            }
            found.seconds = stopwatch.seconds
            found.donorGrowth = donor.figures.peakMegabytes - donorMegabytes
            found.joinerGrowth = joiner.figures.peakMegabytes - emptyMegabytes
        }
        let count = options.largeTodos + found.liveWrites
        _ = try TestedCluster(nodes: [donor, joiner]).untilEqual(count: count, within: 60)
        try repair(donor, joiner, count, &found, progress)
        return found
    }

    private func repair(
        _ donor: Node, _ joiner: Node, _ count: Int, _ found: inout Found, _ progress: (String) -> Void
    ) throws {
        progress("\(Self.differingTodos) differ")
        joiner.stop()
        for number in 0..<Self.differingTodos {
            let index = number * (options.largeTodos / Self.differingTodos)
            let answer = try donor.ask(HTTPRequestText.complete(SampleRows.key(index)))
            guard answer.status == 200 else { throw BenchmarkError.node("no update", log: donor.logPath) }
        }
        let logged = joiner.logBytes
        let (used, stopwatch) = (ResourceUse.now, Stopwatch())
        try joiner.start()
        // Seldom, since asking is traffic too.
        try waitUntil(300, "the repaired node is ready", pause: 100_000) { () throws(BenchmarkError) in
            try joiner.isReady()
        }
        found.repairSeconds = stopwatch.seconds
        found.repairBytes = Double((ResourceUse.now - used).loopbackBytes)
        _ = try TestedCluster(nodes: [donor, joiner]).untilEqual(count: count, within: 30)
        found.roundTrips = joiner.loggedFigure("replication.round_trips", from: logged)
    }
}
