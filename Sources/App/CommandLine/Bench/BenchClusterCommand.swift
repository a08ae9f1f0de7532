internal import ArgumentParser
internal import Commands
internal import Benchmarks
internal import Foundation
internal import Keys
internal import Runtime

/// How fast real nodes are, seen from outside.
struct BenchClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Real nodes: creates, reads, replication, full sync, failures, memory.",
        discussion: """
            Starts its own nodes, processes of this program on free ports of 127.0.0.1, and ends them. Their databases lie \
            in a new directory that is removed at the end.
            """, helpNames: CommandLineNames.help)

    @Option(help: "Kinds to measure, separated by commas.")
    var transports = TransportRegistry.current.kinds.joined(separator: ",")
    @Flag(help: "With a cluster key.") var encrypted = false
    @Option(help: "Seconds for each rate. (default: 3, with --quick 1)") var seconds: Double?
    @Option(help: "Todos of the large sync; 0 leaves it out. (default: 1000000, with --quick 0)") var largeTodos: Int?
    @Option(help: "Where the databases are put.") var directory: String?
    @Flag(help: "Rougher figures in a minute.") var quick = false
    @OptionGroup var output: BenchOutput

    func run() async throws {
        let options = try makeOptions()
        let directory = try BenchDirectory.checked(directory)
        let machine = Machine(directory: directory, version: BuildInfo.version)
        guard let executable = Bundle.main.executablePath else {
            throw ValidationError("this program does not know where it is")
        }
        OpenFiles.raiseLimit()
        try await output.report { progress in
            let fleet = try Fleet(executable: executable, in: directory)
            return try await ClusterBenchmark(options, fleet: fleet).run(machine: machine, progress)
        }
    }

    private func makeOptions() throws -> ClusterBenchmark.Options {
        let chosen = transports.split(separator: ",").map(String.init)
        let kinds = TransportRegistry.current.kinds
        guard !chosen.isEmpty, Set(chosen).count == chosen.count, chosen.allSatisfy(kinds.contains)
        else { throw ValidationError("--transports: \(transports) is not a list of \(kinds)") }
        var options = ClusterBenchmark.Options(transports: chosen)
        if encrypted { options.key = try ClusterKey.random().base64 }
        options.secondsPerPoint = seconds ?? (quick ? 1 : 3)
        guard (0.1...600).contains(options.secondsPerPoint) else {
            throw ValidationError("--seconds must be 0.1 to 600")
        }
        options.largeTodos = largeTodos ?? (quick ? 0 : 1_000_000)
        guard options.largeTodos == 0 || (1_000...10_000_000).contains(options.largeTodos) else {
            throw ValidationError("--large-todos must be 0, or 1000 to 10000000")
        }
        if quick { (options.rounds, options.latencyRounds, options.idleSeconds) = (1, 200, 5) }
        return options
    }
}
