import Replication
import Cluster
import Membership
@testable import Simulation
import Testing
import Transport

/// Who is remembered: a replica that nobody has heard of for long is still looked for.
@Suite("Members that are remembered", .timeLimit(.minutes(3)))
struct MemoryTests {
    /// Of five nodes the first three are the seeds; those are gone for good, and so the last two have only each other.
    private func withoutSeeds() -> World {
        var membership = MembershipConfiguration()
        // A day, but for those who hold no data.
        membership.failedRetention = .seconds(20)
        let world = started(5, .udp, membership: membership)
        for index in 0..<3 { world.kill(index) }
        world.run(until: world.now + .seconds(10))
        return world
    }

    private func meet(_ world: World) -> Bool {
        world.write(.create(text: "x"), key: "over there", on: 3)
        return world.reach(within: .seconds(60)) { $0.nodes[4].replica.visible("over there") != nil }
    }

    @Test("a cut that is longer than anything is remembered ends, though no seed is on either side")
    func longCut() {
        let world = withoutSeeds()
        world.cut([3])
        world.run(until: world.now + .seconds(120))
        #expect(world.nodes[4].process?.core.membership.member(named: "node-3")?.status == .failed)
        world.mend([3])
        #expect(meet(world))
    }

    @Test("a start that meets nobody forgets nobody, and so the next one finds who is there")
    func lonelyStarts() {
        let world = withoutSeeds()
        world.kill(4)
        for _ in 0..<2 {
            world.kill(3)
            world.run(until: world.now + .seconds(1))
            world.start(3)
            world.run(until: world.now + .seconds(30))
            #expect(world.nodes[3].replica.knownMembers().contains { $0.name == "node-4" })
        }
        // It knows nobody itself.
        _ = world.nodes[4].replica.submit(.save([]))
        world.start(4)
        #expect(
            world.reach(within: .seconds(60)) { world in
                world.nodes[3].process?.core.membership.member(named: "node-4")?.status == .alive
            })
        #expect(meet(world))
    }
}
