internal import ArgumentParser
internal import Commands
internal import Benchmarks
internal import Keys
internal import Membership
internal import Reports
internal import Transport
internal import TransportKit

/// Measures the transports against each other and against what C alone does.
struct BenchTransportsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transports",
        abstract: "Messages and exchanges over every transport, in clear and with a key, beside the limits in C.",
        discussion: """
            Takes 3 to 4 minutes, with --quick less than one. Two endpoints and 200 bytes are always measured: they are \
            what is held against the limits.
            """,
        helpNames: CommandLineNames.help)

    @Option(help: ArgumentHelp("Bytes of a message. (default: 64,200,1024,16384,65536)", valueName: "bytes,bytes,…"))
    var payloads: String?
    @Option(
        help: ArgumentHelp(
            "Endpoints of broadcasts, the sender included. (default: 2,4,8,16)", valueName: "number,number,…"))
    var endpoints: String?
    @Option(help: "Seconds for each figure in each round. (default: 0.2, with --quick 0.1)") var seconds: Double?
    @Option(help: "How often all is measured, in turn; figures are medians. (default: 3)") var rounds: Int?
    @Flag(help: "Less of everything.") var quick = false
    @OptionGroup var output: BenchOutput

    func run() async throws {
        let plan = try makePlan()
        let candidates = try Self.candidates
        try await output.report { progress in
            try await TransportsBenchmark(plan, candidates, progress: progress)
                .report(on: Machine(directory: ".", version: BuildInfo.version))
        }
    }

    func makePlan() throws -> TransportsPlan {
        let payloads = try Self.numbers(
            payloads ?? (quick ? "200,16384" : "64,200,1024,16384,65536"), "payloads", TransportsPlan.payloadLimits)
        let endpoints = try Self.numbers(
            endpoints ?? (quick ? "2,8" : "2,4,8,16"), "endpoints", TransportsPlan.endpointLimits)
        let seconds = seconds ?? (quick ? 0.1 : 0.2)
        guard (0.02...60).contains(seconds) else { throw ValidationError("--seconds must be 0.02 to 60") }
        let rounds = rounds ?? 3
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100") }
        return TransportsPlan(
            payloads: payloads, endpoints: endpoints, secondsPerPoint: seconds, rounds: rounds,
            overloadSeconds: quick ? 0.3 : 1)
    }

    private static func numbers(_ text: String, _ option: String, _ range: ClosedRange<Int>) throws -> [Int] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
            guard let number = Int(word), range.contains(number) else {
                throw ValidationError(
                    "--\(option): \(word.isEmpty ? "nothing" : "\(word)") is not a number of "
                        + "\(range.lowerBound) to \(range.upperBound); several are separated by commas")
            }
            return number
        }
    }

    /// All that this program has, on loopback, with a key for all.
    private static var candidates: [TransportCandidate] {
        get throws {
            let key = try ClusterKey.random()
            return TransportRegistry.current.plugins.map { plugin in
                TransportCandidate(kind: plugin.kind) { hasKey in
                    try plugin.make(
                        TransportSettings(
                            bindAddress: PeerAddress(host: .v4(0x7f00_0001), port: 0), key: hasKey ? key : nil,
                            membershipStreamEnd: MemberlistCodec.streamEnd))
                }
            }
        }
    }
}
