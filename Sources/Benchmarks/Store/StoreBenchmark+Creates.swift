internal import CRawLimits
internal import Reports
internal import Runtime
internal import Store
internal import Synchronization

/// Durable creates by clients, and what the disk and SQLite allow.
extension StoreBenchmark {
    private static let writerCounts = [1, 16, 64, 256]
    private static let disks = [
        ("4 KiB in one place", DiskLimit(blockBytes: 4_096, place: .same)),
        ("4 KiB, each behind the last", DiskLimit(blockBytes: 4_096, place: .behind)),
        ("24 KiB in one place", DiskLimit(blockBytes: 6 * 4_096, place: .same)),
    ]

    func measureCreates(
        in directory: String, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        let pair = try await DatabasePair(in: directory, name: "creates")
        let source = CreateSource()
        var disks = [Measured](repeating: Measured(), count: Self.disks.count)
        var creates = [Versus](repeating: Versus(), count: Self.writerCounts.count)
        var commits = [Int](repeating: 0, count: Self.writerCounts.count)
        do {
            for round in 1...rounds {
                progress("creates and fdatasync, round \(round) of \(rounds)")
                try await measureRound(directory, pair, source, &disks, &creates, &commits)
            }
        } catch {
            await pair.close()
            throw error
        }
        await pair.close()
        report.tables += [Self.diskTable(disks), Self.createTable(creates, commits, disks[0])]
        report.charts.append(Self.chart(creates, disks[0]))
        for (count, versus) in zip(Self.writerCounts, creates) {
            summary.add("create, \(count) at once", versus)
        }
    }

    private func measureRound(
        _ directory: String, _ pair: DatabasePair, _ source: CreateSource, _ disks: inout [Measured],
        _ creates: inout [Versus], _ commits: inout [Int]
    ) async throws {
        let seconds = options.seconds / Double(rounds)
        for (index, disk) in Self.disks.enumerated() {
            disks[index] += try await Blocking.run { try disk.1.run(in: directory, seconds: seconds) }
        }
        for (index, count) in Self.writerCounts.enumerated() {
            try Task.checkCancellation()
            let before = pair.store.commitStatistics
            creates[index].ours += try await create(pair.store, source, writers: count, seconds: seconds)
            commits[index] += pair.store.commitStatistics.commitCount - before.commitCount
            creates[index].limit += try await Blocking.run { [raw = pair.raw] in
                try Self.insert(raw, source, batch: count, seconds: seconds)
            }
        }
    }

    private func create(
        _ store: Store, _ source: CreateSource, writers: Int, seconds: Double
    ) async throws -> Measured {
        try await Measured.tasks(writers, seconds: seconds) { _, _ in
            let number = source.next()
            let outcome = try await store.create(externID: SampleRows.key(number), text: SampleRows.text(number))
            guard case .created = outcome else { preconditionFailure("\(number) was there before") }
        }
    }

    private static func insert(
        _ raw: SQLiteLimit, _ source: CreateSource, batch: Int, seconds: Double
    ) throws -> Measured {
        var measured = Measured()
        while measured.seconds < seconds {
            // Some transactions at a time, their rows made before the clock runs.
            let rows = RawRows((0..<max(16, batch * 4)).map { _ in SampleRows.row(source.next()) })
            for start in stride(from: 0, to: rows.count, by: batch) where measured.seconds < seconds {
                let begin = measured.seconds
                let range = start..<min(start + batch, rows.count)
                try measured.time { try raw.insert(rows, range) }
                measured.count += range.count
                measured.nanoseconds.append(UInt64((measured.seconds - begin) * 1e9))
            }
        }
        return measured
    }

    private static func diskTable(_ disks: [Measured]) -> BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Disk", subject: "pwrite and fdatasync", columns: ["a second", "p50 ms", "p99 ms"],
            note: """
                One after the other, in a file in the directory of the databases. A create of one todo alone writes six \
                pages to SQLite's log: those of its row, its stamps, three indexes and the last id.
                """)
        for (disk, measured) in zip(Self.disks, disks) {
            let times = measured.milliseconds
            table.add(disk.0, [measured.rate, times.p50, times.p99])
        }
        return table
    }

    private static func createTable(
        _ creates: [Versus], _ commits: [Int], _ disk: Measured
    ) -> BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Durable creates", subject: "writers",
            columns: [
                "creates/s", "p50 ms", "p99 ms", "a commit", "CPU µs", "C rows/s", "C p50 ms", "C CPU µs", "ours/C",
                "per fdatasync",
            ],
            note: """
                So many tasks, each of which waits for Store.create and then makes the next. The C loop is one thread that \
                INSERTs as many rows in a transaction as there are writers, without a look-up, into the same tables; its \
                p50 is that of a transaction. A commit: creates that shared one, on average. Per fdatasync: creates for each \
                one of 4 KiB in one place that the disk does in the same time. Processor time of ours includes making the \
                key and the text.
                """)
        for ((count, versus), commits) in zip(zip(writerCounts, creates), commits) {
            let (ours, limit, times) = (versus.ours, versus.limit, versus.ours.milliseconds)
            table.add(
                "\(count)",
                [
                    ours.rate, times.p50, times.p99,
                    commits > 0 ? Double(ours.count) / Double(commits) : nil, ours.processorMicroseconds, limit.rate,
                    limit.milliseconds.p50, limit.processorMicroseconds, versus.ratio,
                    disk.rate > 0 ? ours.rate / disk.rate : nil,
                ])
        }
        return table
    }

    private static func chart(_ creates: [Versus], _ disk: Measured) -> Chart {
        func points(_ rate: (Versus) -> Double) -> [LineChart.Point] {
            zip(writerCounts, creates).map { LineChart.Point(x: Double($0), y: rate($1)) }
        }
        return .lines(
            LineChart(
                title: "Durable creates a second", horizontal: "writers at once",
                series: [
                    .init(name: "store", points: points(\.ours.rate)),
                    .init(name: "C, one transaction", points: points(\.limit.rate)),
                    .init(name: "fdatasync of 4 KiB", points: points { _ in disk.rate }),
                ]))
    }
}

/// Numbers of todos that are given out once.
private final class CreateSource: Sendable {
    private let last = Atomic(0)

    func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
