internal import CRawLimits
internal import Reports
internal import Runtime
internal import Store
internal import Transport

/// Reads of one todo by clients.
extension StoreBenchmark {
    private enum Key: String, CaseIterable {
        case id, externID = "extern_id"
    }

    private static let readerCounts = [1, 16, 64]
    /// Connections that the store reads with: as many threads has the C loop when more than one task reads.
    private static let connections = 2
    /// Todos that are asked for, again and again.
    private static let sampleCount = 65_536

    func measureReads(
        _ pair: DatabasePair, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        var table = BenchmarkReport.Table(
            "Reads of one todo, of \(options.rows)", subject: "by",
            columns: ["tasks", "reads/s", "p50 µs", "p99 µs", "CPU µs", "C reads/s", "C CPU µs", "ours/C"],
            note: """
                Any todo each time. So many tasks, each of which waits for Store.todo and then asks for the next. The C loop \
                takes every column from a prepared SELECT, on one thread beside one task, else on \
                \(Self.connections), each with a connection of its own, as the store has, and 32 reads to a transaction, as many as share one \
                in the store. Its rate is measured over blocks \
                of reads, so it has no latencies.
                """)
        let picks = Picks(rows: options.rows, count: Self.sampleCount)
        let raws = try (0..<Self.connections).map { _ in try SQLiteLimit(path: pair.rawPath, isReadOnly: true) }
        var lines: [LineChart.Series] = []
        for key in Key.allCases {
            var results: [Versus] = []
            for count in Self.readerCounts {
                progress("reads by \(key.rawValue), \(count) at once")
                var versus = Versus()
                for _ in 0..<rounds {
                    try Task.checkCancellation()
                    let seconds = options.seconds / Double(rounds)
                    versus.ours += try await read(pair.store, key, picks, tasks: count, seconds: seconds)
                    versus.limit += try await read(raws.prefix(count), key, picks, seconds: seconds)
                }
                results.append(versus)
                let (ours, limit, times) = (versus.ours, versus.limit, versus.ours.microseconds)
                table.add(
                    key.rawValue,
                    [
                        Double(count), ours.rate, times.p50, times.p99,
                        ours.processorMicroseconds, limit.rate, limit.processorMicroseconds, versus.ratio,
                    ])
                summary.add("read by \(key.rawValue), \(count) at once", versus)
            }
            for (name, rate) in [("store", \Versus.ours.rate), ("C", \Versus.limit.rate)] {
                lines.append(
                    LineChart.Series(
                        name: "\(name), by \(key.rawValue)",
                        points: zip(Self.readerCounts, results).map { .init(x: Double($0), y: $1[keyPath: rate]) }))
            }
        }
        report.tables.append(table)
        report.charts.append(
            .lines(LineChart(title: "Todos read a second", horizontal: "tasks", series: lines)))
    }

    private func read(
        _ store: Store, _ key: Key, _ picks: Picks, tasks: Int, seconds: Double
    ) async throws -> Measured {
        try await Measured.tasks(tasks, seconds: seconds) { task, turn in
            let place = (task * picks.ids.count / tasks + turn) % picks.ids.count
            let todo =
                switch key {
                case .id: try await store.todo(id: picks.ids[place])
                case .externID: try await store.todo(externID: picks.keys[place])
                }
            guard todo != nil else { preconditionFailure("todo \(picks.ids[place]) is not there") }
        }
    }

    private func read(
        _ raws: ArraySlice<SQLiteLimit>, _ key: Key, _ picks: Picks, seconds: Double
    ) async throws -> Measured {
        var measured = Measured()
        let end = rl_now() + UInt64(seconds * 1e9)
        measured.count = try await measured.time {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for (index, raw) in raws.enumerated() {
                    group.addTask {
                        try await Blocking.run {
                            let block = 512
                            var count = 0
                            var place = index * picks.ids.count / 2
                            while rl_now() < end {
                                let range = place..<(place + block)
                                switch key {
                                case .id: try raw.read(ids: picks.ids[range], together: raws.count > 1)
                                case .externID: try raw.read(picks.raw, range, together: raws.count > 1)
                                }
                                count += block
                                place = (place + block) % picks.ids.count
                            }
                            return count
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        return measured
    }
}

/// Which todos are asked for.
private struct Picks: Sendable {
    /// Ids from 1: all databases here were filled without a gap.
    let ids: [Int64]
    let keys: [String]
    let raw: RawRows

    init(rows: Int, count: Int) {
        var generator = SeededGenerator(seed: 5)
        ids = (0..<count).map { _ in Int64.random(in: 1...Int64(rows), using: &generator) }
        let numbers = (0..<count).map { _ in Int.random(in: 0..<rows, using: &generator) }
        keys = numbers.map { SampleRows.key($0) }
        raw = RawRows(numbers.map { SampleRows.row($0) })
    }
}
