internal import ArgumentParser
internal import Benchmarks

/// How fast the store is beside SQLite and the disk alone.
struct BenchStoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The store against plain C loops over SQLite and the disk.",
        discussion: """
            Durable creates by several writers, merges as a node does them that receives rows, a full sync, reads of one \
            todo, lists, scans, opening and memory; each in turns with a loop in C that does the same to a database of \
            the same schema. Everything lies in a new directory that is removed at the end.
            """, helpNames: CommandLineNames.help)

    @Option(help: "Rows in the databases. (default: 100000, with --quick 20000)") var rows: Int?
    @Option(help: "Seconds for each figure. (default: 1, with --quick 0.2)") var seconds: Double?
    @Option(help: "Where the databases are put: what is measured is the disk below it.") var directory: String?
    @Flag(help: "Rougher figures in half a minute.") var quick = false
    @OptionGroup var output: BenchOutput

    func run() async throws {
        let options = try makeOptions()
        try await output.reportOfTasks { progress in
            try await StoreBenchmark(options, progress: progress).run()
        }
    }

    private func makeOptions() throws -> StoreBenchmark.Options {
        let directory = try BenchDirectory.checked(directory)
        var options = StoreBenchmark.Options(directory: directory, version: BuildInfo.version)
        options.rows = rows ?? (quick ? 20_000 : 100_000)
        options.seconds = seconds ?? (quick ? 0.2 : 1)
        guard (1_000...10_000_000).contains(options.rows) else {
            throw ValidationError("--rows must be 1000 to 10000000")
        }
        guard (0.01...600).contains(options.seconds) else { throw ValidationError("--seconds must be 0.01 to 600") }
        return options
    }
}
