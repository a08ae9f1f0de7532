import Cluster
import Replication
@testable import Simulation
import Testing
import Transport

/// Scenes with one fault each, told step by step: what campaigns of chaos meet by chance is here for certain.
@Suite("Convergence in virtual time")
struct ConvergenceTests {
    @Test("a restarted node is open only when it has what its donor had", arguments: TransportKind.allCases)
    func readyMeansSynced(transport: TransportKind) {
        let world = started(3, transport)
        world.kill(2)
        for index in 0..<100 { world.write(.create(text: "x"), key: "while away \(index)", on: index % 2) }
        #expect(
            world.reach(within: .seconds(10)) { world in
                world.nodes[0...1].allSatisfy { $0.replica.rows.count == 100 }
            })
        let before = world.nodes[0].replica.summary
        world.start(2)
        #expect(world.reach(within: .seconds(5), every: .milliseconds(1)) { $0.isServing(2) })
        #expect(world.nodes[2].replica.summary == before && world.nodes[2].process?.core.replication.isSynced == true)
    }

    @Test("a node that starts under writes lacks nothing once it is open", arguments: TransportKind.allCases, 1...10)
    func startsUnderWrites(transport: TransportKind, seed: UInt64) {
        let world = started(5, transport, seed: seed)
        world.kill(4)
        world.run(until: world.now + .seconds(6))
        world.start(4)
        var step = 0
        while !world.isServing(4), step < 600 {
            step += 1
            world.write(.create(text: "x"), key: "key \(step)", on: step % 4)
            world.run(until: world.now + .milliseconds(5))
        }
        #expect(world.nodes[4].process?.core.replication.isSynced == true)
        // Time for what is under way and for a pull, and none for a walk.
        #expect(world.reach(within: .milliseconds(150)) { $0.areEqual })
        world.run(until: world.now + .milliseconds(20))
        check(world)
    }

    @Test("standing still for 3 s under writes: never declared failed, and nothing is lost", arguments: 1...10)
    func pauses(seed: UInt64) {
        let world = started(3, .udp, seed: seed)
        world.pause(Int(seed % 3), for: .seconds(3))
        for step in 0..<150 {
            world.write(.create(text: "x"), key: "key \(step)", on: step % 3)
            world.run(until: world.now + .milliseconds(20))
        }
        #expect(world.reach(within: .seconds(10)) { $0.areEqual && $0.isQuiet })
        world.run(until: world.now + .seconds(5))
        #expect(world.stats.failures == 0)
        check(world)
    }

    @Test("40 nodes, too many to reach directly: a write is everywhere within 1 s with 1 % loss")
    func epidemic() {
        let world = started(40, .udp, faults: "none", rate: ["loss": 0.01])
        world.spread = Spread(nodeCount: 40)
        for index in 0..<40 {
            world.write(.create(text: "x"), key: "from \(index)", on: index)
            world.run(until: world.now + .milliseconds(50))
        }
        #expect(world.reach(within: .seconds(1)) { $0.areEqual })
        let relayed = world.nodes.reduce(0) { $0 + ($1.process?.core.replication.stats.relayedMessages ?? 0) }
        #expect(relayed > 100, "nobody passed anything on")
        #expect(world.spread?.unfinishedCount == 0 && world.spread?.count == 40)
        check(world)
    }

    @Test("todos too large for a packet reach every node, also where they must be passed on", arguments: [3, 36])
    func large(count: Int) {
        let world = started(count, .udp)
        let text = String(repeating: "🦀", count: 500)
        for index in 0..<3 { world.write(.create(text: text), key: "large \(index)", on: index) }
        #expect(world.reach(within: .seconds(2)) { $0.areEqual && $0.nodes[0].replica.rows.count == 3 })
        check(world)
    }

    @Test("a donor that dies in the middle of a first sync is replaced at once", arguments: 1...5)
    func failover(seed: UInt64) {
        let world = started(4, .udp, seed: seed)
        let text = String(repeating: "x", count: 500)
        for index in 0..<400 { world.write(.create(text: text), key: "key \(index)", on: index % 3) }
        #expect(
            world.reach(within: .seconds(10)) { world in
                world.nodes.allSatisfy { $0.replica.rows.count == 400 }
            })
        world.kill(3)
        world.run(until: world.now + .seconds(8))
        world.nodes[3].replica = world.makeDatabase(world.nodes[3].nodeID)
        world.start(3)
        #expect(
            world.reach(within: .seconds(5), every: .microseconds(200)) {
                let count = $0.nodes[3].replica.rows.count
                return count > 0 && count < 400
            }, "no moment in the middle")
        let donor = world.exchanges.values.first { $0.sides[0].node == 3 && $0.sides[0].id?.channel == .replication }?
            .sides[1].node
        #expect(donor != nil)
        world.kill(donor ?? 0)
        #expect(world.reach(within: .seconds(2), every: .milliseconds(1)) { $0.isServing(3) })
        #expect(world.nodes[3].replica.rows.count == 400)
    }

    // MARK: - Helpers

    private func check(_ world: World, sourceLocation: SourceLocation = #_sourceLocation) {
        world.checkData()
        #expect(world.ledger.acknowledgedCount > 0, sourceLocation: sourceLocation)
        #expect(world.violations.isEmpty, "\(world.violations)", sourceLocation: sourceLocation)
    }
}
