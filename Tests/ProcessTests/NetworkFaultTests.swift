import Foundation
import Testing

/// Real nodes over bad networks. While data get through at all, nodes agree without anything being mended.
@Suite("Bad network", .serialized, .enabled(if: TestNetwork.isAvailable, "\(TestNetwork.needs)"))
struct NetworkFaultTests {
    @Test("five nodes agree though each fifth packet is lost", arguments: Transports.all)
    func loss(transport: String) async throws {
        let scene = try await FaultScene(5, transport: transport)
        try await scene.underLoad {
            try scene.network.lose(percent: 20)
            try await scene.pass()
        }
        try await scene.settled(within: 30)
        #expect(try scene.network.lostCount() > 100)
        try await healed(scene)
    }

    @Test("four nodes agree though each packet takes 200 ms", arguments: Transports.all)
    func delay(transport: String) async throws {
        let scene = try await FaultScene(4, transport: transport)
        try await scene.underLoad {
            try scene.network.delay(milliseconds: 200)
            try await scene.pass()
        }
        try await scene.settled(within: 30)
        try await takesLong(scene)
        try await healed(scene)
    }

    @Test("three nodes agree though each receives only 256 kbit a second", arguments: Transports.all)
    func thinLine(transport: String) async throws {
        let scene = try await FaultScene(3, transport: transport)
        try await scene.underLoad {
            try scene.network.makeThin(kilobitsPerSecond: 256)
            try await scene.pass()
        }
        try await scene.settled(within: 30)
        #expect(try scene.network.heldUpCount() > 100)
        try await healed(scene)
    }

    @Test(
        "a node that hears another but is not heard by it agrees with it by way of the third", arguments: Transports.all
    )
    func oneWayCut(transport: String) async throws {
        let scene = try await FaultScene(3, transport: transport)
        try await scene.underLoad {
            try scene.network.block(from: 0, to: 1)
            try await scene.pass()
        }
        try await scene.settled(within: 30)
        #expect(try scene.network.lostCount() > 10)
        try await healed(scene)
    }

    @Test(
        "two sides of seven nodes each take writes, twice, and agree within 5 s of the cut's end",
        arguments: Transports.all)
    func split(transport: String) async throws {
        let scene = try await FaultScene(7, transport: transport)
        try await scene.underLoad {
            // The second is long enough for members to be declared failed.
            for seconds in [FaultScene.seconds, FaultScene.seconds * 2] {
                let nodes = scene.nodes.shuffled(using: &scene.generator)
                try scene.network.split(Array(nodes[..<3]), from: Array(nodes[3...]))
                try await scene.pass(seconds)
                #expect(try scene.network.lostCount() > 10)
                try scene.network.heal()
                try await scene.pass(1)
            }
        }
        try await scene.settled(within: 5)
        try await healed(scene)
    }

    /// A write does not arrive sooner than the packet that carries it.
    private func takesLong(_ scene: FaultScene) async throws {
        let begin = ContinuousClock.now
        let json = try await scene.write(to: 0).decoded(Todo.self)
        try await scene.cluster.eventually("the write has arrived", within: 10) {
            try await scene.cluster[1].todo(json.extern_id)?.todo == json.todo
        }
        #expect(ContinuousClock.now - begin > .milliseconds(200))
    }

    private func healed(_ scene: FaultScene) async throws {
        #expect(scene.unknownCount == 0, "the network between clients and nodes is good")
        try scene.network.heal()
        try await scene.cluster.allReady(within: 30)
    }
}
