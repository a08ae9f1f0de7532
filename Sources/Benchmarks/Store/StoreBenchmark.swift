internal import Reports

/// The store, held against plain C loops over SQLite and the disk.
package struct StoreBenchmark: Sendable {
    package struct Options: Sendable {
        /// Rows of the databases that are read, opened and merged into.
        package var rows = 100_000
        /// For each figure and its limit, each.
        package var seconds = 1.0
        /// Where a directory for the databases is made.
        package var directory: String
        /// Of this program.
        package var version: String

        package init(directory: String, version: String) { (self.directory, self.version) = (directory, version) }
    }

    let options: Options
    let progress: @Sendable (String) -> Void

    /// `progress` is told what is being measured.
    package init(_ options: Options, progress: @escaping @Sendable (String) -> Void) {
        (self.options, self.progress) = (options, progress)
    }

    /// Leaves nothing behind, whether it returns, throws or is cancelled.
    package func run() async throws -> BenchmarkReport {
        let machine = Machine(directory: options.directory, version: options.version)
        var report = BenchmarkReport(
            "store", machine: machine,
            settings: [
                .init("rows", "\(options.rows)"), .init("seconds", "\(options.seconds.short) for each figure"),
                .init("directory", "\(options.directory) on \(machine.fileSystem)"), .init("synchronous", "full"),
            ])
        let directory = try TemporaryDirectory(in: options.directory)
        defer { directory.remove() }
        var summary = Summary()
        // Memory first: later a heap that was used before hides what is taken.
        let memory = try await measureMemory(in: directory.path)
        try await measureCreates(in: directory.path, &report, &summary)
        let (sorted, shuffled) = try await measureFullSync(in: directory.path, &report, &summary)
        do {
            try await measureMerges(shuffled, &report, &summary)
            try await measureReads(sorted, &report, &summary)
            try await measureScans(sorted, &report, &summary)
        } catch {
            await sorted.close()
            await shuffled.close()
            throw error
        }
        await sorted.close()
        await shuffled.close()
        try await measureOpening(sorted, &report, &summary)
        report.tables.append(memory)
        report.tables.append(summary.table)
        report.charts.append(summary.chart)
        return report
    }
}

/// Ours over the limit, of everything that has one.
struct Summary: Sendable {
    private var rows: [(name: String, versus: Versus, unit: String)] = []

    mutating func add(_ name: String, _ versus: Versus, unit: String) { rows.append((name, versus, unit)) }

    var table: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Ours over the limit", subject: "what",
            columns: ["ours/s", "C loop/s", "ours/C", "ours CPU µs", "C CPU µs"],
            note: """
                Processor time is that of all threads of the process, for each row, todo or list. Where ours uses two \
                cores and the C loop one, ours may take more of it and still be faster.
                """)
        for (name, versus, unit) in rows {
            table.add(
                "\(name), \(unit)",
                [
                    versus.ours.rate, versus.limit.rate, versus.ratio, versus.ours.processorMicroseconds,
                    versus.limit.processorMicroseconds,
                ])
        }
        return table
    }

    var chart: Chart {
        .bars(
            BarChart(
                title: "Ours over the C loop",
                bars: rows.map {
                    BarChart.Bar($0.name, $0.versus.ratio ?? 0, kind: ($0.versus.ratio ?? 0) < 0.5 ? 2 : 0)
                }
            ))
    }
}
