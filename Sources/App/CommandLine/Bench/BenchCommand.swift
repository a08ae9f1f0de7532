internal import ArgumentParser
internal import Commands
internal import Benchmarks
internal import Glibc
internal import UnixSignals

/// How fast this machine is with this product, and how much of its limits that is.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures transports, clusters and the store against what C alone gives.",
        discussion: """
            Figures are only worth something from a release build on a machine that does nothing else. Those of --quick show \
            that it works: they move by half from run to run.
            """,
        subcommands: [
            BenchTransportsCommand.self, BenchClusterCommand.self, BenchStoreCommand.self, BenchBareHandlerCommand.self,
        ],
        helpNames: CommandLineNames.help)
}

/// Where findings go besides the terminal.
struct BenchOutput: ParsableArguments {
    @Option(help: "A file for the figures as JSON.") var json: String?
    @Option(help: "A file for the plots.") var svg: String?
    @Option(help: "A file for a page with all of it.") var html: String?

    /// Runs `body` with a function that shows how far it is, and writes what it found. SIGINT, SIGTERM and SIGHUP cancel
    /// it, so that it can leave things tidy.
    func report(
        _ body: @escaping @Sendable (_ progress: @escaping @Sendable (String) -> Void) async throws -> BenchmarkReport
    ) async throws {
        try await write {
            let progress = TerminalProgress()
            defer { progress.clear() }
            let signals = await UnixSignalsSequence(trapping: [.sigint, .sigterm, .sighup])
            return try await withThrowingTaskGroup(of: BenchmarkReport?.self) { group in
                group.addTask {
                    try await body { text in
                        progress.clear()
                        progress.show(text)
                    }
                }
                group.addTask {
                    for await _ in signals { break }
                    return nil
                }
                defer { group.cancelAll() }
                guard let report = try await group.next() ?? nil else { throw ExitCode(1) }
                return report
            }
        }
    }

    /// The files are tried before the work.
    private func write(_ make: () async throws -> BenchmarkReport) async throws {
        let json = try OutputFile(json, option: "json")
        let svg = try OutputFile(svg, option: "svg")
        let html = try OutputFile(html, option: "html")
        warnOfDebugBuild()
        let report = try await make()
        print(report.text, terminator: "")
        try json?.write(report)
        try svg?.write(report.svg)
        try html?.write(report.html)
    }

    private func warnOfDebugBuild() {
        #if DEBUG
        TerminalProgress.warn("This is a debug build: its figures say nothing.")
        #endif
    }
}
