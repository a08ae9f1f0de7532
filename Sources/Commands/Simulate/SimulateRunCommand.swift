internal import ArgumentParser
internal import Foundation
internal import Reports
internal import Runtime
internal import Simulation
internal import Transport

/// Runs clusters in virtual time and looks for broken promises.
struct SimulateRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run seeds under faults and check every promise. This is the default.",
        helpNames: CommandLineNames.help)

    @Option(help: "Number of nodes, or a range such as 3..9.") var nodes = "3"
    @Option(help: "The seed from which everything follows.") var seed: UInt64 = 1
    @Option(help: "Many seeds, such as 1..1000.") var seeds: String?
    @Option(help: "Minutes of virtual time with faults.") var minutes = 1.0
    @Option(help: ArgumentHelp("What goes wrong: \(Faults.presets.keys.sorted().joined(separator: ", "))."))
    var faults = "chaos"
    @Option(
        help: ArgumentHelp(
            Self.rateHelp,
            valueName: "fault=rate")
    ) var rate: [String] = []
    @Option(help: SimulateCommand.transportHelp) var transport = SimulateCommand.transports[0]
    @Option(
        help: ArgumentHelp(
            "The nodes' databases: memory, a dictionary, or sqlite, the store that ships, on disks of the simulator's.",
            valueName: "store")
    ) var store = StoreKind.memory.rawValue
    @Option(help: "Writes a second, of all clients together.") var writes = 20.0
    @Option(
        help: ArgumentHelp(
            "A mechanism to switch off: \(Mechanism.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "mechanism")
    ) var without: [String] = []
    @Flag(help: "Print every seed, not only those that fail.") var verbose = false
    @Flag(help: "With one seed: print whatever happens in it.") var watch = false

    func run() async throws {
        let plan = try makePlan()
        let range = try seeds.map(Self.range) ?? seed...seed
        let nodeRange = try Self.range(nodes)
        guard Self.nodeCounts.contains(nodeRange.lowerBound), Self.nodeCounts.contains(nodeRange.upperBound) else {
            throw ValidationError("--nodes must be 1 to \(Self.nodeCounts.upperBound)")
        }
        let isVerbose = verbose || range.count == 1
        if watch {
            guard range.count == 1 else { throw ValidationError("--watch takes one seed") }
            let single = Self.plan(plan, nodeRange, seed: range.lowerBound)
            let result = try await Blocking.run { Run.result(of: single, seed: range.lowerBound) { print($0) } }
            print(Self.describe(result))
            guard !result.violations.isEmpty else { return }
            print("again: auto-cluster-sync simulate \(replayArguments(seed: result.seed))")
            throw ExitCode(1)
        }
        let summary = try await Blocking.run {
            var summary = Summary()
            let progress = TerminalProgress(total: range.count)
            try Campaign.run(
                range, plan: { Self.plan(plan, nodeRange, seed: $0) },
                threadCount: ProcessInfo.processInfo.activeProcessorCount
            ) { result in
                summary.note(result)
                progress.clear()
                defer { progress.show(summary.count) }
                if isVerbose || !result.violations.isEmpty { print(Self.describe(result)) }
                for violation in result.violations { print("    \(violation)") }
                return summary.failed.count < Self.maxFailed
            }
            progress.clear()
            return summary
        }
        if summary.count < range.count { print("stopped after \(summary.count) of \(range.count) seeds") }
        print(summary.text)
        guard let first = summary.failed.first else { return }
        print("again: auto-cluster-sync simulate \(replayArguments(seed: first))")
        throw ExitCode(1)
    }

    private func makePlan() throws -> Run.Plan {
        var plan = Run.Plan()
        guard let preset = Faults.presets[faults] else {
            let all = Faults.presets.keys.sorted().joined(separator: ", ")
            throw ValidationError("--faults: there is no \(faults); it can be \(all)")
        }
        guard minutes > 0, minutes <= 10_000 else {
            throw ValidationError("--minutes must be above 0 and at most 10000")
        }
        guard writes >= 0, writes <= 10_000 else { throw ValidationError("--writes must be 0 to 10000") }
        plan.options.faults = preset
        for setting in rate { try Self.apply(setting, to: &plan.options.faults) }
        plan.options.transport = try SimulateCommand.transport(transport)
        guard let store = StoreKind(rawValue: store) else {
            let all = StoreKind.allCases.map(\.rawValue).joined(separator: " or ")
            throw ValidationError("--store: there is no \(self.store); it can be \(all)")
        }
        plan.options.store = store
        plan.chaosTime = .milliseconds(Int64(minutes * 60_000))
        plan.writesPerSecond = writes
        plan.options.without = try SimulateCommand.mechanisms(without)
        return plan
    }

    private static func apply(_ setting: String, to faults: inout Faults) throws {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, let path = Faults.rates[parts[0]], let rate = Double(parts[1]) else {
            let all = Faults.rates.keys.sorted().joined(separator: ", ")
            throw ValidationError(
                "--rate: \(setting) is not a fault and its rate, such as crashes=6; a fault can be \(all)")
        }
        let highest = Faults.shares.contains(parts[0]) ? 0.9 : 10_000
        guard (0...highest) ~= rate else { throw ValidationError("--rate: \(parts[0]) must be 0 to \(highest.short)") }
        faults[keyPath: path] = rate
    }

    /// The number of nodes follows from the seed where it is a range.
    private static func plan(_ plan: Run.Plan, _ nodes: ClosedRange<UInt64>, seed: UInt64) -> Run.Plan {
        var plan = plan
        plan.options.nodeCount = Int(nodes.lowerBound + seed % UInt64(nodes.count))
        return plan
    }

    private static let rateHelp: String = {
        let names = Faults.rates.keys.sorted()
        let shares = names.filter(Faults.shares.contains).joined(separator: ", ")
        let perMinute = names.filter { !Faults.shares.contains($0) }.joined(separator: ", ")
        return "Another rate of one fault. Shares of packets, or of first syncs: \(shares). A minute: \(perMinute)."
    }()
    /// Failing seeds after which the others are not worth their time.
    private static let maxFailed = 20
    private static let maxRange: UInt64 = 1_000_000_000
    private static let nodeCounts: ClosedRange<UInt64> = 1...2_000

    static func range(_ text: String) throws -> ClosedRange<UInt64> {
        let parts = text.split(separator: ".", omittingEmptySubsequences: true).compactMap { UInt64($0) }
        if parts.count == 1, UInt64(text) != nil { return parts[0]...parts[0] }
        guard parts.count == 2, text == "\(parts[0])..\(parts[1])", parts[0] <= parts[1] else {
            throw ValidationError("\(text) is neither a number nor a range such as 1..1000")
        }
        guard parts[1] - parts[0] < maxRange else { throw ValidationError("\(text) is more than \(maxRange) numbers") }
        return parts[0]...parts[1]
    }

    private func replayArguments(seed: UInt64) -> String {
        var words = ["--nodes \(nodes)", "--seed \(seed)", "--minutes \(minutes)", "--faults \(faults)"]
        words += rate.map { "--rate \($0)" }
        words +=
            ["--transport \(transport)", "--store \(store)", "--writes \(writes)"] + without.map { "--without \($0)" }
        return words.joined(separator: " ")
    }

    private static func describe(_ result: Run.Result) -> String {
        let healed = result.healedAfter.map { "\($0.inSeconds.short) s" } ?? "never"
        let trace = String(result.fingerprint, radix: 16)
        return "seed \(result.seed): \(result.violations.count) violations, \(result.acknowledgedCount) acknowledged, "
            + "\(result.exemptedCount) exempt, \(result.stats.faults) faults, \(result.stats.crashes) crashes, "
            + "\(result.stats.packets) packets, \(result.stats.walks) walks, healed after \(healed), "
            + spread(result) + "trace " + String(repeating: "0", count: 16 - trace.count) + trace
    }

    private static func spread(_ result: Run.Result) -> String {
        guard let times = result.spread?.allTimes, !times.isEmpty else { return "" }
        let quantiles = [0.5, 0.9, 0.99, 1].map { share in
            (times[min(times.count - 1, Int(Double(times.count) * share))].inSeconds * 1_000).short
        }
        return "everywhere after p50/p90/p99/max \(quantiles.joined(separator: "/")) ms, "
    }

    /// Of all seeds.
    private struct Summary: Sendable {
        var count = 0
        var failed: [UInt64] = []
        var acknowledged = 0
        var slowest: Duration?
        var checkers: [String: Int] = [:]

        mutating func note(_ result: Run.Result) {
            count += 1
            acknowledged += result.acknowledgedCount
            if !result.violations.isEmpty { failed.append(result.seed) }
            for checker in Set(result.violations.map(\.checker.rawValue)) { checkers[checker, default: 0] += 1 }
            if let healed = result.healedAfter { slowest = max(slowest ?? healed, healed) }
        }

        var text: String {
            let noticed = checkers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            return "\(count) seeds, \(failed.count) failed\(noticed.isEmpty ? "" : " (\(noticed))"), "
                + "\(acknowledged) acknowledged writes, slowest healing \(slowest.map { "\($0.inSeconds.short) s" } ?? "never")"
        }
    }
}
