import Foundation
import Testing

/// Real nodes that leave with what they acknowledged. `SimulationTests` has the same in virtual time.
@Suite("Leaving of processes", .serialized, .timeLimit(.minutes(2)))
struct LeavingTests {
    private static let warning = "Leaving, though no other node is known"
    /// Too long for a broadcast, so that a stopped peer takes none of it.
    private static let text = String(repeating: "\u{1f600}", count: 500)

    @Test(
        "a node that leaves beside a stopped peer says so in time, and beside a living one leaves everything",
        arguments: Transports.all)
    func stoppedPeer(transport: String) async throws {
        for count in [2, 3] {
            let cluster = try TestCluster(count, transport: transport)
            try await cluster.startAll()
            let (stopped, leaver) = (try cluster.process(0), try cluster.process(1))
            stopped.signal(SIGSTOP)
            for number in 0..<50 { _ = try await cluster[1].create("todo \(number)", Self.text) }
            leaver.signal(SIGTERM)
            #expect(leaver.waitForExit(seconds: 8) == NodeProcess.Exit(status: 0, wasSignal: false))
            #expect(leaver.output.contains(Self.warning) == (count == 2), "\(count) nodes")
            stopped.signal(SIGCONT)
            if count == 3 { try await cluster.converged(count: 50, within: 20) }
        }
    }
}
