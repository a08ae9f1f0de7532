internal import ArgumentParser
internal import Benchmarks
internal import Glibc

/// How fast this machine is with this product, and how much of its limits that is.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures transports, clusters and the store against what C alone gives.",
        discussion: "Figures are only worth something from a release build on a machine that does nothing else.",
        subcommands: [],
        helpNames: CommandLineNames.help)
}

/// Where findings go besides the terminal.
struct BenchOutput: ParsableArguments {
    @Option(help: "A file for the figures as JSON.") var json: String?
    @Option(help: "A file for the plots.") var svg: String?
    @Option(help: "A file for a page with all of it.") var html: String?

    /// Runs `body`, which blocks, outside of the cooperative pool, with a function that shows how far it is, and writes
    /// what it found.
    func report(_ body: @escaping @Sendable (_ progress: @Sendable (String) -> Void) throws -> BenchmarkReport)
        async throws
    {
        let json = try OutputFile(json, option: "json")
        let svg = try OutputFile(svg, option: "svg")
        let html = try OutputFile(html, option: "html")
        warnOfDebugBuild()
        let report = try await OwnThread.run {
            let progress = TerminalProgress(total: 0)
            defer { progress.clear() }
            return try body { text in
                progress.clear()
                progress.show(text)
            }
        }
        print(report.text, terminator: "")
        try json?.write(report)
        try svg?.write(report.svg)
        try html?.write(report.html)
    }

    private func warnOfDebugBuild() {
        #if DEBUG
        fputs("This is a debug build: its figures say nothing.\n", stderr)
        #endif
    }
}
