import Testing
import Transport

@testable import Benchmarks

/// The measuring itself, over the transport that lives in memory. What figures come out is not the matter.
@Suite("Measuring a transport", .timeLimit(.minutes(1)))
struct ClusterTests {
    private static func candidate() -> TransportCandidate {
        let network = InMemoryNetwork()
        return TransportCandidate(name: "memory", limit: .datagrams) { _ in try network.bind() }
    }

    @Test("A flow counts what all receivers got", arguments: FlowRequest.Mode.allCases)
    func flow(mode: FlowRequest.Mode) async throws {
        let request = FlowRequest(mode: mode, endpoints: 4, payloadBytes: 64, window: 64, seconds: 0.05)
        let result = try await Cluster.with(Self.candidate(), hasKey: false, count: 4) {
            try await $0.flow(request, run: 1)
        }
        #expect(result.handed > 64)
        #expect(result.gotByAll == result.handed)
        #expect(result.total == result.handed * (mode == .unicast ? 1 : 3))
        #expect(result.seconds > 0)
    }

    @Test("Round trips and exchanges come back")
    func roundTrips() async throws {
        let (samples, bytes) = try await Cluster.with(Self.candidate(), hasKey: false, count: 2) { cluster in
            (
                try await cluster.roundTrips(payloadBytes: 64, seconds: 0.02),
                try await cluster.stream(chunkBytes: 4_096, seconds: 0.02).bytes
            )
        }
        #expect(!samples.isEmpty)
        #expect(bytes > 0)
    }

    @Test("Waiting ends with its limit")
    func deadline() async {
        await #expect(throws: NotInTime.self) {
            try await within(.milliseconds(20), "sleeping") { try await Task.sleep(for: .seconds(30)) }
        }
    }
}
