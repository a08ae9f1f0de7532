import Foundation
import Testing

/// Real nodes that end or stand still at any moment.
@Suite("Bad processes", .serialized, .enabled(if: TestNetwork.isAvailable, "\(TestNetwork.needs)"))
struct ProcessFaultTests {
    @Test("nodes killed at random moments under load lose nothing that they acknowledged", arguments: Transports.all)
    func kill(transport: String) async throws {
        let scene = try await FaultScene(5, transport: transport)
        let cluster = scene.cluster
        try await scene.underLoad {
            let end = ContinuousClock.now + .seconds(FaultScene.seconds)
            while ContinuousClock.now < end {
                let count = Int.random(in: 1...3, using: &scene.generator)
                let victims = scene.nodes.shuffled(using: &scene.generator).prefix(count)
                try await scene.pass(.random(in: 0.05...0.6, using: &scene.generator))
                for index in victims { cluster.crash(index) }
                try await scene.pass(.random(in: 0...0.3, using: &scene.generator))
                for index in victims { try cluster.start(index) }
                // Else the next round may find it while it still takes over what it missed.
                if Bool.random(using: &scene.generator) { try await cluster.ready(victims[0]) }
            }
        }
        try await cluster.allReady()
        try await scene.settled(within: 10)
    }

    @Test("nodes that stand still for a while, again and again, miss nothing", arguments: Transports.all)
    func standstill(transport: String) async throws {
        let scene = try await FaultScene(4, transport: transport)
        let cluster = scene.cluster
        try await scene.underLoad {
            let end = ContinuousClock.now + .seconds(FaultScene.seconds)
            while ContinuousClock.now < end {
                let index = Int.random(in: scene.nodes, using: &scene.generator)
                try cluster.process(index).signal(SIGSTOP)
                try await scene.pass(.random(in: 0.1...(FaultScene.seconds / 2), using: &scene.generator))
                try cluster.process(index).signal(SIGCONT)
                try await scene.pass(.random(in: 0...0.2, using: &scene.generator))
            }
        }
        try await scene.settled(within: 10)
        try await cluster.allReady()
    }
}
