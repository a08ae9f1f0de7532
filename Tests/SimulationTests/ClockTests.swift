import Cluster
import Replication
import Testing
import Transport

@testable import Simulation

/// Wall clocks that are wrong, in clusters of two, where nobody can say whose, and of three, where two show it.
@Suite("Wall clocks", .timeLimit(.minutes(2)))
struct ClockTests {
    private static let hour: Int64 = 3_600_000

    private func started(_ count: Int, _ configure: (World) -> Void = { _ in }) -> World {
        var options = WorldOptions()
        options.nodeCount = count
        let world = World(options, seed: 1)
        configure(world)
        for index in 0..<count { world.start(index) }
        #expect(world.reach(within: .seconds(10)) { $0.areReady })
        world.run(until: world.now + .seconds(3))
        return world
    }

    private func check(_ world: World) {
        world.checkData()
        #expect(world.violations == [])
    }

    @Test(
        "a clock that is an hour off for one write keeps no write back, neither then nor when it is right again",
        arguments: [2, 3], [hour, -hour])
    func shortlyWrong(count: Int, offset: Int64) {
        let world = started(count)
        world.nodes[1].clock.offsetMilliseconds = offset
        world.write(.create(text: "x"), key: "wrong", on: 1)
        #expect(world.reach(within: .seconds(2)) { $0.isEverywhere("wrong") })
        world.run(until: world.now + .seconds(1))
        world.nodes[1].clock.offsetMilliseconds = 0
        for (text, index) in [("one", 1), ("two", 0), ("three", 1)] {
            world.write(.update(text: text, completed: nil), key: "wrong", on: index)
            world.write(.create(text: text), key: "right \(text)", on: index)
            #expect(world.reach(within: .seconds(2)) { $0.isEverywhere("right \(text)") && $0.areEqual })
            #expect(world.nodes.allSatisfy { $0.replica.visible("wrong")?.text?.value.string == text })
        }
        // Stamps are near the true time again, as soon as the clocks have been heard.
        world.run(until: world.now + .seconds(5))
        world.write(.create(text: "x"), key: "last", on: 1)
        #expect(world.reach(within: .seconds(2)) { $0.isEverywhere("last") })
        #expect(world.error(of: "last") < 3_000)
        check(world)
    }

    @Test("clocks that were all an hour ahead and are set right, with restarts between, keep no write back")
    func allAhead() {
        let world = started(3) { world in
            for node in world.nodes { node.clock.offsetMilliseconds = Self.hour }
        }
        for index in 0..<3 { world.write(.create(text: "x"), key: "ahead \(index)", on: index) }
        #expect(world.reach(within: .seconds(2)) { $0.areEqual })
        for node in world.nodes {
            node.clock.offsetMilliseconds = 0
            world.kill(node.index)
            world.start(node.index)
            world.run(until: world.now + .seconds(10))
        }
        #expect(world.reach(within: .seconds(10)) { $0.areReady })
        world.run(until: world.now + .seconds(5))
        for index in 0..<3 {
            world.write(.update(text: "later", completed: nil), key: "ahead \(index)", on: (index + 1) % 3)
            world.write(.create(text: "x"), key: "right \(index)", on: index)
        }
        #expect(world.reach(within: .seconds(2)) { $0.areEqual && $0.isEverywhere("right 2") })
        #expect((0..<3).allSatisfy { world.error(of: "right \($0)") < 3_000 })
        #expect(world.nodes.allSatisfy { $0.replica.visible("ahead 1")?.text?.value == "later" })
        check(world)
    }

    @Test(
        "a node that starts three hours behind opens with everything, and what it writes then stands",
        arguments: [2, 3])
    func startsBehind(count: Int) {
        let world = started(count)
        for index in 0..<20 { world.write(.create(text: "x"), key: "key \(index)", on: 0) }
        #expect(world.reach(within: .seconds(2)) { $0.areEqual })
        let late = count - 1
        world.kill(late)
        for index in 0..<10 { world.write(.delete, key: "key \(index)", on: 0) }
        world.run(until: world.now + .seconds(2))
        world.nodes[late].clock.offsetMilliseconds = -3 * Self.hour
        world.start(late)
        #expect(world.reach(within: .seconds(10)) { $0.isServing(late) })
        #expect(world.nodes[late].replica.visible("key 3") == nil)
        world.write(.create(text: "again"), key: "key 3", on: late)
        world.run(until: world.now + .seconds(5))
        world.nodes[late].clock.offsetMilliseconds = 0
        #expect(world.reach(within: .seconds(10)) { $0.areEqual && $0.isEverywhere("key 3") })
        check(world)
    }

    @Test("a clock that is wrong for good is held to the two that are right, and its node knows")
    func wrongForGood() throws {
        let world = started(3) { $0.nodes[2].clock.offsetMilliseconds = 5 * Self.hour }
        world.run(until: world.now + .seconds(3))
        world.write(.create(text: "x"), key: "held", on: 2)
        #expect(world.reach(within: .seconds(2)) { $0.isEverywhere("held") })
        #expect(world.error(of: "held") < 3_000)
        let core = try #require(world.nodes[2].process?.core)
        guard case .wrong(let difference) = core.clockState else {
            Issue.record("\(core.clockState)")
            return
        }
        #expect(abs(difference - 5 * Self.hour) < 100)
        #expect(world.nodes[0].process?.core.clockState == .right)
        check(world)
    }
}

extension World {
    fileprivate func isEverywhere(_ key: ByteString) -> Bool {
        nodes.allSatisfy { $0.replica.visible(key) != nil }
    }

    /// How far the stamp of a todo is from the true time, in milliseconds.
    fileprivate func error(of key: ByteString) -> Int64 {
        let stamp = nodes[0].replica.rows[key]?.row.latestStamp.time.milliseconds ?? 0
        return abs(stamp - NodeClock().milliseconds(at: now))
    }
}
