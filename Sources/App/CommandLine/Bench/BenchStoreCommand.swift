internal import ArgumentParser
internal import Commands
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
    @Option(help: "Seconds for each figure. (default: 2, with --quick 0.3)") var seconds: Double?
    @Option(help: "Where the databases are put: what is measured is the disk below it.") var directory: String?
    @Option(help: "Parts to measure, such as creates,reads: \(Self.parts). (default: all)") var only: String?
    @Flag(help: "Rougher figures in half a minute.") var quick = false
    @OptionGroup var output: BenchOutput

    func run() async throws {
        let options = try makeOptions()
        try await output.report { progress in
            try await StoreBenchmark(options, progress: progress).run()
        }
    }

    private static let parts = StoreBenchmark.Part.allCases.map(\.rawValue).joined(separator: ", ")

    private func makeOptions() throws -> StoreBenchmark.Options {
        let directory = try BenchDirectory.checked(directory)
        var options = StoreBenchmark.Options(directory: directory, version: BuildInfo.version)
        if let only {
            let names = only.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            let parts = names.compactMap { StoreBenchmark.Part(rawValue: $0) }
            guard parts.count == names.count else {
                throw ValidationError("--only: \(only) is not a list of parts; a part can be \(Self.parts)")
            }
            options.parts = Set(parts)
        }
        options.rows = rows ?? (quick ? 20_000 : 100_000)
        options.seconds = seconds ?? (quick ? 0.3 : 2)
        guard (1_000...10_000_000).contains(options.rows) else {
            throw ValidationError("--rows must be 1000 to 10000000")
        }
        guard (0.01...600).contains(options.seconds) else { throw ValidationError("--seconds must be 0.01 to 600") }
        return options
    }
}
