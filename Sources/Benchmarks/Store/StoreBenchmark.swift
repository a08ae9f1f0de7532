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
        progress("comparing")
        try await sorted.verify()
        try await shuffled.verify()
        report.tables.insert(summary.table, at: 0)
        report.tables.append(memory)
        report.charts.append(summary.chart)
        return report
    }
}

/// Ours over the limit, of everything that has one.
struct Summary: Sendable {
    private var rows: [(name: String, versus: Versus)] = []

    mutating func add(_ name: String, _ versus: Versus) { rows.append((name, versus)) }

    var table: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Ours over the limit", subject: "what", columns: ["ours, a second", "C, a second", "ours/C"],
            note: """
                The store beside a C loop that does the same with SQLite's prepared statements, in one thread and without \
                a program around it, in turns. More of each is below. Where nothing else is said the unit is a row. Both \
                databases were compared at the end and hold the same rows.
                """)
        for (name, versus) in rows { table.add(name, [versus.ours.rate, versus.limit.rate, versus.ratio]) }
        return table
    }

    var chart: Chart {
        let bars = rows.map { name, versus in
            let ratio = versus.ratio ?? 0
            return BarChart.Bar(name, ratio, kind: ratio < 0.5 ? 2 : 0)
        }
        return .bars(BarChart(title: "Ours over the C loop", bars: bars))
    }
}
