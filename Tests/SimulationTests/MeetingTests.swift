import Cluster
import Membership
@testable import Simulation
import Testing
import Transport

/// What membership promises of starts, returns and the end of cuts, with the service's engines, gossip and codecs.
@Suite("Nodes find each other in virtual time")
struct MeetingTests {
    /// The news of a joiner goes at once to a few random members, and from each to whom it is news again. For most seeds
    /// that reaches all; else the next gossip ticks do.
    @Test(
        "Ten nodes find each other through their seeds; a joiner is confirmed by all within 30 ms of its start, mostly")
    func joining() {
        var quickCount = 0
        for seed: UInt64 in 1...30 {
            let world = idle(11, seed: seed)
            for index in 0..<10 { world.start(index) }
            world.run(until: .zero + .seconds(3))
            for index in 0..<10 {
                let members = world.engine(index)?.members ?? []
                #expect(members.map(\.isConfirmed) == Array(repeating: true, count: 10), "seed \(seed)")
            }
            world.start(10)
            world.run(until: world.now + .milliseconds(30))
            func isKnownToAll() -> Bool {
                (0..<10).allSatisfy { world.engine($0)?.member(named: "node-10")?.isConfirmed == true }
            }
            if isKnownToAll() { quickCount += 1 }
            world.run(until: world.now + .milliseconds(470))
            #expect(isKnownToAll(), "seed \(seed)")
            #expect(world.engine(10)?.clusterSize == 11, "seed \(seed)")
        }
        #expect(quickCount >= 20, "\(quickCount) of 30")
    }

    @Test("Of ten nodes that start after one whose seeds refused for a start's time, that one alone is the first")
    func first() {
        for seed: UInt64 in 1...10 {
            var decisions: [String] = []
            let world = idle(10, seed: seed) { line in
                if let place = line.firstRange(of: "start decided: ") {
                    decisions.append(String(line[place.upperBound...]))
                }
            }
            world.start(0)
            world.run(until: .zero + .milliseconds(9_900))
            #expect(decisions.isEmpty, "seed \(seed)")
            world.run(until: .zero + .seconds(11))
            for index in 1..<10 { world.start(index) }
            world.run(until: .zero + .seconds(14))
            #expect(decisions == ["first"] + Array(repeating: "joined", count: 9), "seed \(seed)")
        }
    }

    @Test("Two clusters that never knew each other merge when they can reach a common seed")
    func merging() {
        for seed: UInt64 in 1...10 {
            let world = idle(7, seed: seed)
            // Node 2, the third seed, does not run yet.
            world.cut([0, 3, 4])
            for index in [0, 1, 3, 4, 5, 6] { world.start(index) }
            world.run(until: .zero + .seconds(12))
            for index in [0, 1, 3, 4, 5, 6] { #expect(world.engine(index)?.clusterSize == 3, "seed \(seed)") }
            world.mend([0, 3, 4])
            world.start(2)
            #expect(world.reach(within: .seconds(6)) { $0.isWhole }, "seed \(seed)")
        }
    }

    @Test("A restarted node is alive again for all within a second, though its first incarnation is outdated")
    func restart() {
        for seed: UInt64 in 1...10 {
            let world = started(4, .udp, seed: seed)
            world.kill(3)
            world.run(until: world.now + .seconds(10))
            #expect(world.engine(0)?.member(named: "node-3")?.status == .failed, "seed \(seed)")
            world.start(3)
            world.run(until: world.now + .seconds(1))
            #expect(world.isWhole, "seed \(seed)")
            #expect(world.engine(3)?.clusterSize == 4, "seed \(seed)")
            #expect(world.engine(3).map { $0.incarnation > 1 } == true, "seed \(seed)")
        }
    }

    /// A dial of the simulator that meets a cut takes 3 s; TCP would repeat it after 1 s (`SeedJoinerTests`).
    @Test(
        "A cluster that was cut in two for 30 s is whole again within 6 s of healing, and stays so",
        arguments: [(2, 1), (3, 1), (4, 2), (5, 2)])
    func healing(count: Int, firstSide: Int) {
        for seed: UInt64 in 1...20 {
            let world = started(count, .udp, seed: seed)
            world.cut(Set(0..<firstSide))
            // At any moment of the dials that are under way.
            world.run(until: world.now + .milliseconds(30_000 + seed * 197))
            for index in 0..<count {
                let side = index < firstSide ? firstSide : count - firstSide
                #expect(world.engine(index)?.clusterSize == side, "seed \(seed)")
            }
            world.mend(Set(0..<firstSide))
            #expect(world.reach(within: .seconds(6)) { $0.isWhole }, "seed \(seed)")
            let end = world.now + .seconds(26)
            while world.now < end {
                world.run(until: world.now + .seconds(1))
                #expect(world.isWhole, "seed \(seed)")
            }
        }
    }

    /// A world in which nobody runs yet.
    private func idle(_ count: Int, seed: UInt64, watch: ((String) -> Void)? = nil) -> World {
        var options = WorldOptions()
        options.nodeCount = count
        return World(options, seed: seed, watch: watch)
    }
}

extension World {
    fileprivate func engine(_ index: Int) -> MembershipEngine? { nodes[index].process?.core.membership }
}
