internal import ArgumentParser
internal import Runtime
internal import Simulation

/// What clusters of several sizes would do.
struct SimulatePlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "How writes spread, what traffic costs and when deaths are noticed, by size.",
        discussion: """
            Each cluster forms, stands idle for a quarter of the time, of which the second half is measured, takes \
            writes for half of it, and loses three nodes (a third of a small one) in the last. The columns: until \
            everybody saw everybody; until half of the nodes, 99 % and all of them had the median write, and all had \
            the slowest; writes that were not everywhere; messages that came again for each that was new; bytes per \
            second and node, idle and under writes; until the slowest death was suspected, declared, and known to all; \
            living members declared failed. Bytes are those of packets with their headers, and of exchanges without.
            """, helpNames: CommandLineNames.help)

    @Option(help: "Numbers of nodes.") var nodes = "10,100,1000"
    @Option(help: SimulateCommand.transportHelp) var transport = SimulateCommand.transports[0]
    @Option(help: "Seconds of virtual time for each.") var seconds = 60
    @Option(help: "Share of packets that is lost.") var loss = 0.01
    @Option(help: "Writes a second, of all clients together.") var writes = 20.0
    @Option(help: "The seed from which everything follows.") var seed: UInt64 = 1
    @Option(help: ArgumentHelp("A mechanism to switch off, as in run.", valueName: "mechanism")) var without: [String] =
        []
    @Option(help: "A file for the figures as JSON.") var json: String?
    @Option(help: "A file for a plot.") var svg: String?

    func run() async throws {
        let counts = nodes.split(separator: ",").compactMap { Int($0) }
        guard !counts.isEmpty, counts.count == nodes.split(separator: ",").count,
            counts.allSatisfy({ (3...2_000).contains($0) })
        else { throw ValidationError("--nodes: \(nodes) is not a list of numbers from 3 to 2000, such as 10,100") }
        guard (12...3_600).contains(seconds) else { throw ValidationError("--seconds must be 12 to 3600") }
        guard (0...0.9).contains(loss) else { throw ValidationError("--loss must be 0 to 0.9") }
        guard (0...10_000).contains(writes) else { throw ValidationError("--writes must be 0 to 10000") }
        var options = PlanningStudy.Options()
        options.transport = try SimulateCommand.transport(transport)
        (options.seed, options.loss, options.writesPerSecond) = (seed, loss, writes)
        options.time = .seconds(seconds)
        options.without = try SimulateCommand.mechanisms(without)
        let json = try OutputFile(json, option: "json")
        let svg = try OutputFile(svg, option: "svg")
        let findings = try await Blocking.run { [options] in
            let progress = TerminalProgress(total: counts.count)
            defer { progress.clear() }
            return counts.enumerated().map { index, count in
                progress.clear()
                progress.show(index)
                return PlanningStudy.finding(nodeCount: count, options)
            }
        }
        let report = PlanningReport(findings)
        print(report.table, terminator: "")
        try json?.write(findings)
        try svg?.write(report.svg)
    }
}
