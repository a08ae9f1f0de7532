import Foundation
import Testing
import Transport

/// Rubbish at the ports of a living cluster: 15 s in the suite, as long as `AUTO_CLUSTER_SYNC_ATTACK_SECONDS` says by hand.
@Suite("Attack on the ports", .serialized)
struct AttackTests {
    @Test(
        "random bytes and mutated messages do no harm, to clear and to sealed clusters",
        arguments: Transports.all, [false, true])
    func rubbish(transport: String, isSealed: Bool) async throws {
        let seconds = Double(ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_ATTACK_SECONDS"] ?? "") ?? 15
        let cluster = try TestCluster(
            3, transport: transport, keys: { _ in isSealed ? ClusterTests.key(3) : "" }, hasPublishPorts: true)
        try await cluster.startAll()
        for index in 0..<20 { try await cluster[index % 3].create("before-\(index)", "x") }
        let pids = try (0..<3).map { try cluster.process($0).pid }
        let nodeIDs = try (0..<3).map { index in
            try #require(Self.nodeID(in: try cluster.process(index).output))
        }
        let attacker: any Attacker =
            transport == "zmq"
            ? ZMTPAttacker(ports: cluster.members.flatMap { [$0.port] + [$0.publishPort].compactMap(\.self) }, nodeIDs)
            : UDPAttacker(ports: cluster.members.map(\.port), nodeIDs)
        var resident: [Int] = []
        var count = 20
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(seconds) {
            attacker.attack()
            try await cluster[count % 3].create("during-\(count)", "x")
            count += 1
            if ContinuousClock.now - start > .seconds(seconds / 2) {
                resident.append(try (0..<3).map { try cluster.process($0).residentBytes }.max() ?? 0)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        try await cluster.allReady(within: 30)
        try await cluster.converged(count: count, within: 30)
        // Not cut off by forged numbers: what is written now arrives by itself, from each node at each.
        for index in 0..<3 {
            try await cluster[index].create("after-\(index)", "x")
            count += 1
        }
        try await cluster.converged(count: count, within: 30)
        #expect(try (0..<3).map { try cluster.process($0).pid } == pids, "no node has died")
        #expect(attacker.sentCount > 300)
        #expect((resident.max() ?? .max) < 200_000_000, "\(resident.max() ?? 0) bytes")
        // Invented members may be heard of, and are forgotten.
        for index in 0..<3 {
            try await cluster.eventually("only real members on node \(index + 1)", within: 90) {
                let members = try await cluster[index].info().members
                return members.count == 3 && members.allSatisfy { $0.status == "alive" }
            }
        }
    }
}

extension AttackTests {
    /// What a node says of itself when it starts; an eavesdropper would read it in any heartbeat.
    private static func nodeID(in output: String) -> NodeID? {
        output.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("node.id=") }
            .flatMap { NodeID(String($0.dropFirst(8))) }
    }
}
