import Simulation
import Membership
import Replication
import TestSupport
import Testing
import Transport

/// Both engines over a bad network. Each seed is one history; a failing one is repeated by running its test case again.
@Suite("Convergence in virtual time")
struct ConvergenceTests {
    @Test("under loss, duplication and reordering every write reaches every node", arguments: 1...40)
    func lossy(seed: Int) throws {
        var network = try VirtualNetwork(
            count: 5, faults: .init(loss: 0.2, duplication: 0.1, delay: .microseconds(100)...(.milliseconds(80))),
            seed: UInt64(seed))
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        writeAtRandom(&network, steps: 200, keys: 20)
        network.faults = .init()
        #expect((network.run(for: .seconds(30)) { $0.areEqual }) == true)
        check(network)
    }

    @Test("split in two under writes and healed: equal within 20 s, nothing lost, nothing back", arguments: 1...20)
    func partition(seed: Int) throws {
        var network = try VirtualNetwork(count: 5, seed: UInt64(seed))
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        writeAtRandom(&network, steps: 50, keys: 15)
        network.passes = { ($0 < 2) == ($1 < 2) }
        writeAtRandom(&network, steps: 150, keys: 15)
        _ = network.run(for: .seconds(15))
        network.passes = { _, _ in true }
        #expect((network.run(for: .seconds(20)) { $0.areEqual }) == true)
        check(network)
    }

    @Test("nodes that crash and come back at random, in the midst of writes", arguments: 1...30)
    func crashes(seed: Int) throws {
        var network = try VirtualNetwork(count: 4, faults: .init(loss: 0.05), seed: UInt64(seed))
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        for _ in 0..<12 {
            writeAtRandom(&network, steps: 20, keys: 15)
            let victim = Int.random(in: 0..<4, using: &network.generator)
            if network.nodes[victim].isRunning {
                network.crash(victim)
            } else {
                try network.restart(victim)
            }
        }
        for index in 0..<4 where !network.nodes[index].isRunning { try network.restart(index) }
        #expect((network.run(for: .seconds(60)) { $0.areReady && $0.areEqual }) == true)
        check(network)
    }

    @Test("a restarted node is ready only when it has what its donor had")
    func readyMeansSynced() throws {
        var network = try VirtualNetwork(count: 3, seed: 5)
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        writeAtRandom(&network, steps: 50, keys: 30)
        network.crash(2)
        writeAtRandom(&network, steps: 100, keys: 30)
        #expect((network.run(for: .seconds(10)) { $0.areEqual }) == true)
        let before = network.nodes[0].replica.summary
        try network.restart(2)
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        #expect(network.nodes[2].replica.summary == before)
    }

    @Test(
        "broadcasts that reach a joiner only after up to 100 ms: once ready it lacks nothing written meanwhile",
        arguments: 1...20)
    func slowConnections(seed: Int) throws {
        var network = try VirtualNetwork(
            count: 5, connectDelay: .milliseconds(5)...(.milliseconds(100)), seed: UInt64(seed))
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        _ = network.run(for: .seconds(2))
        network.crash(4)
        _ = network.run(for: .seconds(6))
        try network.restart(4)
        var step = 0
        while !network.nodes[4].replication.isReady, step < 400 {
            step += 1
            network.write(.create, ByteString("key \(step)"), on: step % 4)
            _ = network.run(for: .milliseconds(5))
        }
        #expect(network.nodes[4].replication.isSynced)
        // Time for what is under way, and none for a walk.
        _ = network.run(for: .milliseconds(30))
        #expect(network.areEqual)
        check(network)
    }

    @Test("paused for 3 s under writes: never declared failed, and nothing is lost", arguments: 1...10)
    func pauses(seed: Int) throws {
        var network = try VirtualNetwork(count: 3, seed: UInt64(seed))
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        _ = network.run(for: .seconds(3))
        network.pause(seed % 3, for: .seconds(3))
        writeAtRandom(&network, steps: 150, keys: 100)
        #expect((network.run(for: .seconds(30)) { $0.areEqual }) == true)
        _ = network.run(for: .seconds(5))
        #expect(network.failures.isEmpty, "\(network.failures)")
        check(network)
    }

    @Test("40 nodes, too many to reach directly: a write is everywhere within 2 s with 1 % loss")
    func epidemic() throws {
        var network = try VirtualNetwork(count: 40, faults: .init(loss: 0.01), seed: 9)
        #expect(
            (network.run(for: .seconds(30)) { network in
                network.areReady && network.nodes.allSatisfy { $0.replication.peers.count == 39 }
            }) == true)
        for index in 0..<40 {
            #expect(network.write(.create, "from \(index)", on: index) == true)
            _ = network.run(for: .milliseconds(50))
        }
        let relayed = network.nodes.reduce(0) { $0 + $1.replication.stats.relayedMessages }
        #expect(relayed > 100, "nobody passed anything on")
        #expect((network.run(for: .seconds(2)) { $0.areEqual }) == true)
        check(network)
    }

    @Test("todos too large for a packet reach every node, also where they must be passed on", arguments: [3, 36])
    func large(count: Int) throws {
        var network = try VirtualNetwork(count: count, seed: 4)
        #expect(
            (network.run(for: .seconds(30)) { network in
                network.areReady && network.nodes.allSatisfy { $0.replication.peers.count == count - 1 }
            }) == true)
        let text = ByteString(String(repeating: "🦀", count: 500))
        for index in 0..<3 { #expect(network.write(.create, "large \(index)", text: text, on: index) == true) }
        #expect((network.run(for: .seconds(2)) { $0.areEqual }) == true)
        check(network)
    }

    @Test("a clock that is 10 s ahead holds its writes back, loses none, and disturbs nobody else's")
    func clockAhead() throws {
        var network = try VirtualNetwork(count: 3, seed: 6)
        #expect((network.run(for: .seconds(20)) { $0.areReady }) == true)
        network.nodes[1].clockOffset = 10_000
        #expect(network.write(.create, "ahead", on: 1) == true)
        #expect(network.write(.create, "right", on: 0) == true)
        _ = network.run(for: .seconds(3))
        #expect(network.nodes[2].replica.visible("ahead") == nil)
        #expect(network.nodes.allSatisfy { $0.replica.visible("right") != nil })
        #expect((network.run(for: .seconds(20)) { $0.areEqual }) == true)
        check(network)
    }

    @Test("one seed gives one history")
    func repeats() throws {
        func history() throws -> (UInt64, TreeSummary) {
            var network = try VirtualNetwork(count: 5, faults: .init(loss: 0.1, duplication: 0.05), seed: 77)
            _ = network.run(for: .seconds(5))
            writeAtRandom(&network, steps: 60, keys: 10)
            _ = network.run(for: .seconds(5))
            return (network.trace, network.nodes[0].replica.summary)
        }
        let (first, second) = (try history(), try history())
        #expect(first == second)
    }

    // MARK: - Helpers

    /// Clients that write on random nodes, about 50 times a second.
    private func writeAtRandom(_ network: inout VirtualNetwork, steps: Int, keys: Int) {
        for step in 0..<steps {
            let node = Int.random(in: network.nodes.indices, using: &network.generator)
            let key = ByteString("key \(Int.random(in: 0..<keys, using: &network.generator))")
            switch Int.random(in: 0..<6, using: &network.generator) {
            case 0, 1: network.write(.create, key, text: "created \(step)", on: node)
            case 2: network.write(.update("edited \(step)", nil), key, on: node)
            case 3: network.write(.update(nil, step % 2 == 0), key, on: node)
            case 4: network.write(.update("both \(step)", true), key, on: node)
            default: network.write(.delete, key, on: node)
            }
            _ = network.run(for: .milliseconds(20))
        }
    }

    /// Every replica is the join of all acknowledged writes: none is lost, none came from nowhere, no deleted todo is back.
    private func check(_ network: VirtualNetwork, sourceLocation: SourceLocation = #_sourceLocation) {
        let expected = network.expected()
        #expect(!network.acknowledged.isEmpty, sourceLocation: sourceLocation)
        for node in network.nodes where node.isRunning {
            #expect(
                node.replica.sortedRows == expected.sortedRows, "node \(node.index)", sourceLocation: sourceLocation)
            #expect(node.replica.summary == expected.summary, sourceLocation: sourceLocation)
        }
    }
}
