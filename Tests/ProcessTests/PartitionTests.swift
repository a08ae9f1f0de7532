import Foundation
import Testing

/// Real nodes on hosts of their own, whose network stops to carry without a word: 12 s in the suite, which is longer than
/// it takes to declare a member failed and a connection dead, as long as `AUTO_CLUSTER_SYNC_CUT_SECONDS` says by hand.
@Suite("Cut network", .serialized, .enabled(if: TestNetwork.isAvailable, "\(TestNetwork.needs)"))
struct PartitionTests {
    static let seconds = Double(ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_CUT_SECONDS"] ?? "") ?? 12

    @Test(
        "two of three nodes that cannot reach each other both take writes, and agree within 5 s of the cut's end",
        arguments: Transports.all)
    func twoOfThree(transport: String) async throws {
        try await cut([0, 1], transport: transport)
    }

    @Test(
        "three nodes that each stand alone all take writes, see the others fail, and agree within 5 s of the cut's end",
        arguments: Transports.all)
    func allApart(transport: String) async throws {
        try await cut([0, 1, 2], transport: transport)
    }

    private func cut(_ hosts: [Int], transport: String) async throws {
        let network = try TestNetwork(3)
        let cluster = try TestCluster(3, transport: transport, network: network)
        try await cluster.startAll()
        for index in 0..<30 { try await cluster[index % 3].create("before-\(index)", "x") }
        try await cluster.converged(count: 30, within: 5)
        let pids = try (0..<3).map { try cluster.process($0).pid }

        try network.cut(hosts)
        var count = 30
        var round = 0
        let end = ContinuousClock.now + .seconds(Self.seconds)
        while ContinuousClock.now < end {
            for host in hosts {
                try await cluster[host].create("on-\(host)-\(round)", "x")
                try await cluster[host].update("before-\(round % 10)", ["todo": "by \(host) in round \(round)"])
                count += 1
            }
            round += 1
            try await Task.sleep(for: .milliseconds(50))
        }
        for host in hosts { try await cluster[host].delete("before-\(10 + host)") }
        count -= hosts.count
        if hosts.count == 3 {
            // Nothing came through, or this was no test.
            let infos = try await (0..<3).asyncMap { try await cluster[$0].info() }
            #expect(Set(infos.map(\.fingerprint)).count == 3)
            for info in infos {
                #expect(info.members.allSatisfy { ($0.name == info.node_name) == ($0.status == "alive") }, "\(info)")
            }
        }

        try network.heal()
        try await cluster.converged(count: count, within: 5)
        try await cluster.allReady(within: 20)
        for index in 0..<3 {
            let process = try cluster.process(index)
            #expect(process.isRunning && process.pid == pids[index], "not restarted")
        }
    }
}
