import Testing
import Transport
import TransportInMemory

@testable import Benchmarks

/// The measuring itself, over the transport that lives in memory. What figures come out is not the matter.
@Suite("Measuring a transport", .timeLimit(.minutes(1)))
struct ClusterTests {
    private static func candidate() -> TransportCandidate {
        let network = InMemoryNetwork()
        return TransportCandidate(kind: "memory") { _ in try network.bind() }
    }

    /// On a busy machine a short time is over before anything has come back: then it is measured for longer.
    private static func measured<Value>(
        _ isEnough: (Value) -> Bool, _ measure: (_ seconds: Double) async throws -> Value
    ) async throws -> Value {
        var value = try await measure(0.05)
        for seconds in [0.5, 5, 20] where !isEnough(value) { value = try await measure(seconds) }
        return value
    }

    @Test("A flow counts what all receivers got", arguments: FlowRequest.Mode.allCases)
    func flow(mode: FlowRequest.Mode) async throws {
        let result = try await Self.measured({ $0.handed > 64 }) { seconds in
            let request = FlowRequest(mode: mode, endpoints: 4, payloadBytes: 64, window: 64, seconds: seconds)
            return try await Cluster.with(Self.candidate(), hasKey: false, count: 4) {
                try await $0.flow(request, run: 1)
            }
        }
        #expect(result.handed > 64)
        #expect(result.gotByAll == result.handed)
        #expect(result.total == result.handed * (mode == .unicast ? 1 : 3))
        #expect(result.seconds > 0)
    }

    @Test("Round trips and exchanges come back")
    func roundTrips() async throws {
        let (samples, bytes) = try await Self.measured({ !$0.0.isEmpty && $0.1 > 0 }) { seconds in
            try await Cluster.with(Self.candidate(), hasKey: false, count: 2) { cluster in
                (
                    try await cluster.roundTrips(payloadBytes: 64, seconds: seconds),
                    try await cluster.stream(chunkBytes: 4_096, seconds: seconds).bytes
                )
            }
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
