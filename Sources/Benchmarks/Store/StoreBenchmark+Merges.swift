internal import Replication
internal import Reports
internal import Transport

/// Merges as a receiving node does them.
extension StoreBenchmark {
    /// What the rows of a merge are to the receiver.
    private enum Kind: String, CaseIterable {
        case new, updates, known = "no news"
    }

    /// Transactions of a large merge: the store's own bound.
    static let largeBatch = 2_000
    private static let batches = [1, 16, 256, largeBatch]

    /// All rows into an empty database, in the order of their keys, as a full sync sends them, and in no order.
    func measureFullSync(
        in directory: String, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws -> (sorted: DatabasePair, shuffled: DatabasePair) {
        let sorted = try await DatabasePair(in: directory, name: "sorted")
        let shuffled = try await DatabasePair(in: directory, name: "shuffled")
        var table = BenchmarkReport.Table(
            "Full sync: \(options.rows) rows into an empty database", subject: "order",
            columns: ["rows/s", "C rows/s", "ours/C", "CPU µs a row", "C CPU µs a row"],
            note: """
                Store.merge with \(Self.largeBatch) rows each, one request after the other, synchronous full. The \
                C loop looks each row up by extern_id in todos with stamps and in tombstones and then inserts it, in \
                transactions of the same size, with the same pragmas. Turns change every ten requests.
                """)
        do {
            for (name, pair, order) in [
                ("of keys", sorted, SampleRows.inKeyOrder(options.rows)),
                ("none", shuffled, SampleRows.shuffled(options.rows)),
            ] {
                let versus = try await fill(pair, order, name)
                table.add(name, Self.figures(versus))
                summary.add("full sync, order \(name)", versus)
            }
        } catch {
            await sorted.close()
            await shuffled.close()
            throw error
        }
        report.tables.append(table)
        return (sorted, shuffled)
    }

    private func fill(_ pair: DatabasePair, _ order: [Int], _ name: String) async throws -> Versus {
        var versus = Versus()
        let turn = Self.largeBatch * 10
        for start in stride(from: 0, to: order.count, by: turn) {
            progress("full sync, order \(name), \(start) of \(order.count) rows")
            let rows = order[start..<min(start + turn, order.count)].map { SampleRows.row($0) }
            try await pair.merge(
                rows, batch: Self.largeBatch, isNews: true, oursFirst: start / turn % 2 == 0, into: &versus)
        }
        return versus
    }

    /// Into a database that holds `options.rows` rows.
    func measureMerges(
        _ pair: DatabasePair, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        var table = BenchmarkReport.Table(
            "Merges into \(options.rows) rows", subject: "rows",
            columns: ["batch", "rows/s", "C rows/s", "ours/C", "CPU µs a row", "C CPU µs a row"],
            note: """
                As above, with so many rows in a request and a transaction. New rows have keys in no order; an update is a \
                later text for a row in no order; no news is a row that is there already, as it is or with a later text. The C loop writes only the \
                columns that change. Where the batch is small the figure is that of the disk.
                """)
        var lines: [LineChart.Series] = []
        var numbers = Numbers(existing: options.rows)
        for kind in Kind.allCases {
            var results: [Versus] = []
            for batch in Self.batches {
                progress("merges, \(kind.rawValue), \(batch) at once")
                let versus = try await merge(pair, kind, batch, &numbers)
                results.append(versus)
                table.add(kind.rawValue, [Double(batch)] + Self.figures(versus))
                summary.add("merge \(kind.rawValue), \(batch) at once", versus)
            }
            for (name, rate) in [("store", \Versus.ours.rate), ("C", \Versus.limit.rate)] {
                lines.append(
                    LineChart.Series(
                        name: "\(name), \(kind.rawValue)",
                        points: zip(Self.batches, results).map { .init(x: Double($0), y: $1[keyPath: rate]) }))
            }
        }
        report.tables.append(table)
        report.charts.append(
            .lines(LineChart(title: "Rows merged a second", horizontal: "rows in a merge", series: lines)))
    }

    private func merge(
        _ pair: DatabasePair, _ kind: Kind, _ batch: Int, _ numbers: inout Numbers
    ) async throws -> Versus {
        var versus = Versus()
        let turn = min(max(batch * 8, 32), max(batch, 10_000))
        var turns = 0
        while versus.seconds < options.seconds * 2 {
            let rows = (0..<turn).map { _ in
                switch kind {
                case .new: SampleRows.row(numbers.next())
                case .updates: numbers.nextEdit()
                case .known: SampleRows.row(numbers.any())
                }
            }
            try await pair.merge(
                rows, batch: batch, isNews: kind != .known, oursFirst: turns % 2 == 0, into: &versus)
            turns += 1
        }
        return versus
    }

    static func figures(_ versus: Versus) -> [Double?] {
        [
            versus.ours.rate, versus.limit.rate, versus.ratio, versus.ours.processorMicroseconds,
            versus.limit.processorMicroseconds,
        ]
    }
}

/// Which rows are merged next.
private struct Numbers {
    private let existing: Int
    private var created = 0
    private var version = 0
    private var generator = SeededGenerator(seed: 11)

    init(existing: Int) { self.existing = existing }

    mutating func next() -> Int {
        created += 1
        return existing + created - 1
    }

    mutating func nextEdit() -> Row {
        version += 1
        return SampleRows.edited(any(), version: version)
    }

    mutating func any() -> Int { Int.random(in: 0..<existing, using: &generator) }
}
