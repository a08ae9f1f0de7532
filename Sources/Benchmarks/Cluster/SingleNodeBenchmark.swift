internal import Foundation
internal import Reports

/// The REST API of one node that stands alone: creates against the disk, reads against the HTTP library alone.
struct SingleNodeBenchmark {
    /// Rates of each round, and the latencies of all.
    private struct Samples {
        var rates: [Double] = []
        var milliseconds: [Double] = []

        mutating func note(_ result: HTTPLoad.Result) {
            rates.append(result.perSecond)
            milliseconds += result.milliseconds
        }

        var rate: Double { Percentiles(rates).p50 ?? 0 }
        var percentiles: Percentiles { Percentiles(milliseconds) }
    }

    private static let listCount = 100
    private static let updatesPerSecond = 200
    private static let listUnderWrites = "list of 100 with \(updatesPerSecond) updates/s"

    let fleet: Fleet
    /// An empty database of the store's schema, for SQLite alone.
    let raw: SQLiteLimit
    let rounds: Int
    let secondsPerPoint: Double

    /// Everything alternates, round by round.
    func run(_ progress: (String) -> Void) throws -> (tables: [BenchmarkReport.Table], chart: Chart) {
        let ports = try Fleet.freePorts(6)
        let reader = Node("reader", in: fleet, port: ports[0], httpPort: ports[1], Node.Options())
        let writer = Node("writer", in: fleet, port: ports[2], httpPort: ports[3], Node.Options())
        for node in [reader, writer] {
            try node.start()
            try waitUntil(30, "\(node.name) ready") { () throws(BenchmarkError) in try node.isReady() }
        }
        defer { for node in [reader, writer] { node.stop() } }
        for index in 0..<Self.listCount { try reader.create("todo-\(index)") }
        let one = try bareHandler(like: reader, "/todos/1", port: ports[4])
        let list = try bareHandler(like: reader, "/todos", port: ports[5])
        defer { for process in [one, list] { fleet.end(process) } }
        var samples: [String: Samples] = [:]
        let rows = RawRows((0..<100_000).map(SampleRows.row))
        var syncs: [Double] = []
        var commits = Measured()
        func measure(
            _ name: String, _ port: UInt16, _ connections: Int, _ request: (Int) -> [UInt8], status: Int = 200
        ) throws(BenchmarkError) {
            progress(name)
            let load = HTTPLoad(port: port, connections: connections, expectedStatus: status)
            let result = try load.run(until: .after(.seconds(secondsPerPoint)), request)
            guard result.unexpectedCount == 0 else { throw .failed("\(name): \(result.unexpectedCount) other answers") }
            samples[name, default: Samples()].note(result)
        }
        for round in 0..<rounds {
            let (single, all) = (HTTPRequestText.get("/todos/1"), HTTPRequestText.get("/todos"))
            try measure("read one todo, 64 connections", reader.httpPort, 64, { _ in single })
            try measure("bare handler, 64 connections", ports[4], 64, { _ in single })
            try measure("list of 100, 16 connections", reader.httpPort, 16, { _ in all })
            try measure("bare handler, same list", ports[5], 16, { _ in all })
            let updater = SteadyWriter(port: reader.httpPort, perSecond: Self.updatesPerSecond) { number in
                HTTPRequestText.complete("todo-\(number % Self.listCount)")
            }
            try updater.start()
            var updates = 0
            do {
                defer { updates = updater.stop() }
                try measure(Self.listUnderWrites, reader.httpPort, 16, { _ in all })
            }
            guard Double(updates) > 0.5 * Double(Self.updatesPerSecond) * secondsPerPoint else {
                throw BenchmarkError.failed("only \(updates) updates were made while the list was read")
            }
            try measure("bare handler, 1 connection", ports[4], 1, { _ in single })
            for connections in [1, 16, 64] {
                try measure(
                    "create, \(connections) connection\(connections == 1 ? "" : "s")", writer.httpPort, connections,
                    { HTTPRequestText.create("round-\(round)-\(connections)-\($0)", "Buy groceries and cook dinner") },
                    status: 201)
            }
            progress("fsync and SQLite alone")
            let end = Stopwatch()
            while end.seconds < secondsPerPoint, commits.count < rows.count {
                let next = commits.count..<(commits.count + 1)
                try commits.time { try raw.insert(rows, next) }
                commits.count += 1
            }
            syncs.append(
                try DiskLimit(blockBytes: 4_096, place: .same).run(in: fleet.directory, seconds: secondsPerPoint).rate)
        }
        let (table, chart) = report(samples, syncs)
        return ([table, oneCreate(samples, syncs, commits)], chart)
    }

    private func report(_ samples: [String: Samples], _ syncs: [Double]) -> (BenchmarkReport.Table, Chart) {
        var table = BenchmarkReport.Table(
            "One node, from outside", subject: "requests",
            columns: ["per second", "p50 ms", "p99 ms", "limit per second", "of the limit"],
            note: """
                Closed loop: each connection sends its next request when it has the answer. Medians of \(rounds) rounds of \
                \(secondsPerPoint.short) s, percentiles over all of them. The limits were measured in the same rounds: for creates \
                one write of 4 KiB in place with fdatasync after the other on the same file system, for reads the HTTP library with a handler \
                that returns the same bytes from memory. While nothing changes a node keeps its list and reads it once; with updates it is read \
                anew. The client is part of this machine's load.
                """)
        let sync = Percentiles(syncs).p50
        let pairs: [(String, Double?)] = [
            ("create, 1 connection", sync), ("create, 16 connections", nil), ("create, 64 connections", nil),
            ("read one todo, 64 connections", samples["bare handler, 64 connections"]?.rate),
            ("list of 100, 16 connections", samples["bare handler, same list"]?.rate),
            (Self.listUnderWrites, samples["bare handler, same list"]?.rate),
        ]
        var bars: [BarChart.Bar] = []
        for (name, limit) in pairs {
            guard let sample = samples[name] else { continue }
            let percentiles = sample.percentiles
            table.add(name, [sample.rate, percentiles.p50, percentiles.p99, limit, limit.map { sample.rate / $0 }])
            bars.append(BarChart.Bar(name, sample.rate))
            if let limit { bars.append(BarChart.Bar("its limit", limit, kind: 3)) }
        }
        return (table, .bars(BarChart(title: "one node: requests per second", bars: bars)))
    }

    /// What a create alone on its connection consists of.
    private func oneCreate(_ samples: [String: Samples], _ syncs: [Double], _ commits: Measured)
        -> BenchmarkReport.Table
    {
        var table = BenchmarkReport.Table(
            "One create at a time", subject: "what", columns: ["a second", "µs"],
            note: """
                A create cannot take less than the HTTP library's round trip and SQLite's commit of one row together, and neither can \
                be had in less than it takes alone: in C, into the same tables, with the same pragmas. Same rounds as above.
                """)
        func add(_ name: String, _ rate: Double?) { table.add(name, [rate, rate.map { 1e6 / $0 }]) }
        let (handler, commit) = (samples["bare handler, 1 connection"]?.rate, commits.rate)
        add("fdatasync of 4 KiB in place", Percentiles(syncs).p50)
        add("SQLite: one INSERT and commit, in C", commit)
        add("bare handler: one request", handler)
        add("both, one after the other", handler.map { 1 / (1 / $0 + 1 / commit) })
        add("create, 1 connection", samples["create, 1 connection"]?.rate)
        return table
    }

    private func bareHandler(like node: Node, _ path: String, port: UInt16) throws(BenchmarkError) -> Process {
        let body = try node.ask(HTTPRequestText.get(path)).body
        let file = "\(fleet.directory)/body-\(port)"
        do {
            try Data(body).write(to: URL(fileURLWithPath: file))
            let process = try fleet.start(
                ["bench", "bare-handler", "--port", "\(port)", "--body", file], log: "\(fleet.directory)/bare.log")
            try waitUntil(10, "the bare handler answers") { (try? HTTPConnection(port: port, isWaiting: true)) != nil }
            return process
        } catch let error as BenchmarkError {
            throw error
        } catch {
            throw .failed("the bare handler cannot be started: \(error)")
        }
    }
}
