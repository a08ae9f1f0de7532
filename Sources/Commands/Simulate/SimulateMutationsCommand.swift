internal import ArgumentParser
internal import Foundation
internal import Reports
internal import Runtime
internal import Simulation

/// Switches mechanisms off, one at a time.
struct SimulateMutationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mutations", abstract: "Switch off one mechanism at a time and see which checker notices.",
        discussion: "The status is 1 when nobody misses a mechanism, or a checker complains while everything is on.",
        helpNames: CommandLineNames.help)

    @Option(help: "Seeds for each mechanism, such as 1..10.") var seeds = "1..10"

    func run() async throws {
        let range = try SimulateRunCommand.range(seeds)
        let scenes = MutationCheck.scenes
        let findings = try await Blocking.run {
            let progress = TerminalProgress(total: scenes.count)
            defer { progress.clear() }
            return try scenes.enumerated().map { index, scene in
                progress.clear()
                progress.show(index)
                return try MutationCheck.finding(
                    scene, seeds: range, threadCount: ProcessInfo.processInfo.activeProcessorCount)
            }
        }
        print(Self.table(findings, seedCount: range.count), terminator: "")
        for finding in findings where !finding.isNoticed {
            let scene = "\(finding.scene.mechanism.rawValue) under \(finding.scene.faultsText)"
            print(finding.failedWith > 0 ? "fails with all on: \(scene)" : "nobody missed \(scene)")
        }
        if !findings.allSatisfy(\.isNoticed) { throw ExitCode(1) }
    }

    private static func table(_ findings: [MutationCheck.Finding], seedCount: Int) -> String {
        var table = MarkdownTable([
            "without", "transport", "nodes", "faults", "seeds failed, all on", "seeds failed, off", "who noticed",
        ])
        for finding in findings {
            let checkers = finding.checkers.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
            let scene = finding.scene
            table.add([
                scene.mechanism.rawValue, scene.transport.rawValue, "\(scene.nodeCount)", scene.faultsText,
                "\(finding.failedWith) of \(seedCount)", "\(finding.failedWithout) of \(seedCount)",
                checkers.map { "\($0.key.rawValue) \($0.value)" }.joined(separator: ", "),
            ])
        }
        return table.text
    }
}
