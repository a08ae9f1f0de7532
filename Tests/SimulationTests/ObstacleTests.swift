@testable import Simulation
import Cluster
import Replication
import Testing
import Transport

/// Something keeps a node from what the others have.
@Suite("Obstacles in virtual time")
struct ObstacleTests {
    @Test(
        "a node with a full disk says that it lacks something, the others do not; all are synced when it has room again",
        arguments: TransportKind.allCases)
    func fullDisk(transport: TransportKind) {
        let world = started(3, transport)
        world.nodes[2].fillDisk(true)
        for step in 0..<150 {
            world.write(.create(text: "x"), key: "key \(step)", on: step % 2)
            world.run(until: world.now + .milliseconds(200))
        }
        #expect(world.nodes[2].process?.core.replication.isSynced == false)
        #expect(world.nodes[2].process?.core.replication.obstacles[.store] ?? 0 > 0)
        #expect(world.lags(of: 2).contains { $0 > .seconds(10) } && world.isServing(2))
        for index in 0...1 {
            #expect(world.nodes[index].process?.core.replication.isSynced == true)
            #expect(world.nodes[index].process?.core.replication.obstacles == [:])
        }
        world.nodes[2].fillDisk(false)
        #expect(world.reach(within: .seconds(15)) { $0.areEqual && $0.areSynced })
        #expect(world.lags(of: 2).allSatisfy { $0 == .zero })
    }

    @Test(
        "where nobody hears everybody, all say after 10 s that something may be missing; they are synced when all hear all",
        arguments: TransportKind.allCases)
    func silence(transport: TransportKind) {
        let world = started(4, transport)
        let cut = [(0, 1), (1, 0), (2, 3), (3, 2)]
        for (from, to) in cut { world.network.cut(from, to) }
        for step in 0..<150 {
            world.write(.create(text: "x"), key: "key \(step)", on: step % 4)
            world.run(until: world.now + .milliseconds(100))
        }
        for index in world.nodes.indices {
            #expect(world.nodes[index].process?.core.replication.isSynced == false)
            #expect(world.nodes[index].process?.core.replication.obstacles == [.noAnswer: 1])
            #expect(world.lags(of: index).contains { $0 > .seconds(10) } && world.isServing(index))
        }
        for (from, to) in cut { world.network.mend(from, to, at: world.now) }
        #expect(world.reach(within: .seconds(15)) { $0.areEqual && $0.areSynced })
    }

    @Test("under steady writes nobody says so", arguments: TransportKind.allCases)
    func load(transport: TransportKind) {
        let world = started(4, transport, faults: "loss")
        for step in 0..<3_000 {
            world.write(.create(text: "x"), key: "key \(step % 200)", on: step % 4)
            world.run(until: world.now + .milliseconds(15))
            if step % 20 == 0 { #expect(world.areSynced) }
        }
    }
}

extension World {
    fileprivate func lags(of index: Int) -> [Duration] {
        nodes[index].process?.core.replication.peerStatus(wallMilliseconds: 0, at: now).compactMap(\.lag) ?? []
    }
}
