internal import Reports

/// The store, held against plain C loops over SQLite and the disk.
package struct StoreBenchmark: Sendable {
    /// What can be measured alone.
    package enum Part: String, CaseIterable, Sendable {
        case memory, creates, merges, reads, scans, opening
    }

    package struct Options: Sendable {
        package var parts = Set(Part.allCases)
        /// Rows of the databases that are read, opened and merged into.
        package var rows = 100_000
        /// For each figure and its limit, each.
        package var seconds = 2.0
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
        var summary = StoreSummary()
        let parts = options.parts
        // Memory first: later a heap that was used before hides what is taken.
        let memory = parts.contains(.memory) ? try await measureMemory(in: directory.path) : nil
        if parts.contains(.creates) { try await measureCreates(in: directory.path, &report, &summary) }
        if !parts.isDisjoint(with: [.merges, .reads, .scans, .opening]) {
            try await measureFilled(in: directory.path, &report, &summary)
        }
        if !summary.isEmpty {
            report.tables.insert(summary.table, at: 0)
            report.charts.append(summary.chart)
        }
        if let memory { report.tables.append(memory) }
        return report
    }

    /// Turns of ours and the limit in the time of one figure: about 0.2 s each, since disks have moods that last longer.
    var rounds: Int { min(max(Int(options.seconds * 5), 3), 20) }

    /// What needs databases with rows.
    private func measureFilled(
        in directory: String, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        let (sorted, shuffled) = try await measureFullSync(in: directory, &report, &summary)
        do {
            if options.parts.contains(.merges) { try await measureMerges(shuffled, &report, &summary) }
            if options.parts.contains(.reads) { try await measureReads(sorted, &report, &summary) }
            if options.parts.contains(.scans) { try await measureScans(sorted, &report, &summary) }
        } catch {
            await sorted.close()
            await shuffled.close()
            throw error
        }
        await sorted.close()
        await shuffled.close()
        if options.parts.contains(.opening) { try await measureOpening(sorted, &report, &summary) }
        progress("comparing")
        try await sorted.verify()
        try await shuffled.verify()
    }
}

/// Ours over the limit, of everything that has one.
struct StoreSummary: Sendable {
    private var rows: [(name: String, versus: Versus)] = []

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ name: String, _ versus: Versus) { rows.append((name, versus)) }

    var table: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Ours over the limit", subject: "what", columns: ["ours, a second", "C, a second", "ours/C"],
            note: """
                The store beside a C loop that does the same with SQLite's prepared statements, in one thread and without \
                a program around it, in turns. More of each is below. Where nothing else is said the unit is a row. At \
                the end the databases that were merged into on both sides were compared, and hold the same rows.
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
