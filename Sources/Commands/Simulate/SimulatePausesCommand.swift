internal import ArgumentParser
internal import Reports
internal import Runtime
internal import Simulation
internal import Transport

/// Gray failure: nodes that stand still again and again, with Lifeguard and without.
struct SimulatePausesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pauses", abstract: "Who is declared failed while nodes stand still now and then.",
        discussion: """
            Verdicts are counted by observer: a member that all others declare failed counts once for each of them. The \
            status is 1 when, with Lifeguard, a member that never stood still was declared failed, or one that did took \
            more than 2 s to be seen as alive again.
            """, helpNames: CommandLineNames.help)

    @Option(help: "Number of nodes.") var nodes = 100
    @Option(help: "Minutes of virtual time.") var minutes = 60.0
    @Option(help: "Share of the nodes that stands still.") var share = 0.25
    @Option(help: "Seconds of each pause.") var pause = 5.0
    @Option(help: "Pauses of each of these nodes in a minute.") var rate = 1.0
    @Option(help: "Share of packets that is lost.") var loss = 0.0
    @Option(help: SimulateCommand.transportHelp) var transport = SimulateCommand.transports[0]
    @Option(help: "The seed from which everything follows.") var seed: UInt64 = 1

    func run() async throws {
        guard (3...1_000).contains(nodes) else { throw ValidationError("--nodes must be 3 to 1000") }
        guard minutes > 0, minutes <= 10_000 else {
            throw ValidationError("--minutes must be above 0 and at most 10000")
        }
        guard (0...1).contains(share), (0...0.9).contains(loss) else {
            throw ValidationError("--share must be 0 to 1 and --loss 0 to 0.9")
        }
        guard pause > 0, pause <= 600, rate >= 0.001, rate <= 60 else {
            throw ValidationError("--pause must be above 0 and at most 600, --rate 0.001 to 60")
        }
        var options = PauseStudy.Options()
        options.nodeCount = nodes
        options.time = .milliseconds(Int64(minutes * 60_000))
        (options.pausedShare, options.pausesPerMinute, options.loss, options.seed) = (share, rate, loss, seed)
        options.pauseTime = .milliseconds(Int64(pause * 1_000))
        options.transport = try SimulateCommand.transport(transport)
        let findings = try await Blocking.run { [options] in
            var plain = options
            plain.without = [.lifeguard]
            return [("on", PauseStudy.finding(options)), ("off", PauseStudy.finding(plain))]
        }
        print(Self.table(findings, hours: minutes / 60), terminator: "")
        guard let with = findings.first?.1, with.healthyVerdicts == 0, with.slowestReturn <= .seconds(2),
            with.lasting == 0
        else { throw ExitCode(1) }
    }

    private static func table(_ findings: [(String, PauseStudy.Finding)], hours: Double) -> String {
        var table = MarkdownTable([
            "Lifeguard", "pauses", "suspicions/h", "healthy failed", "healthy failed/h", "paused failed",
            "paused failed/pause", "slowest return s", "still failed",
        ])
        for (name, finding) in findings {
            let healthyRate = Double(finding.healthyVerdicts) / hours
            table.add([
                name, "\(finding.pauses)", (Double(finding.suspicions) / hours).short, "\(finding.healthyVerdicts)",
                healthyRate.short, "\(finding.pausedVerdicts)",
                (Double(finding.pausedVerdicts) / Double(max(1, finding.pauses))).short,
                finding.slowestReturn.inSeconds.short, "\(finding.lasting)",
            ])
        }
        return table.text
    }
}
