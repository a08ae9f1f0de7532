@testable import Replication
import TestSupport
import Testing
import Transport

@Suite("What keeps a node from what its peers have")
struct ObstacleTests {
    @Test(
        "a peer that differs, and with which no walk succeeds: lag, not synced, one event; all of it over when roots are equal",
        arguments: [
            (WalkError.refused(.busy), Obstacle.refused), (.exchange(.noAnswer), .noAnswer), (.store, .store),
            (.unknownRecord, .unreadable), (.refused(.otherVersion), .version),
        ])
    func failing(error: WalkError, obstacle: Obstacle) {
        var scene = Scene()
        scene.outcomes[2] = .failure(error)
        scene.run(seconds: 30) { _ in 7 }
        #expect(scene.events == [.obstructed(peer(2), obstacle)])
        #expect(!scene.engine.isSynced && scene.engine.isReady && scene.engine.engine.obstacles == [obstacle: 1])
        #expect(scene.lag(of: 2) > .seconds(20) && scene.lag(of: 3) == .zero)
        scene.run(seconds: 3) { _ in 0 }
        #expect(scene.events.last == .unobstructed(peer(2)) && scene.events.count == 2)
        #expect(scene.engine.isSynced && scene.lag(of: 2) == .zero)
    }

    @Test("rows that are passed over keep it so, until a walk leaves nothing out")
    func passedOver() {
        var scene = Scene()
        var outcome = WalkOutcome()
        outcome.passedOverCount = 1
        scene.outcomes[2] = .success(outcome)
        scene.run(seconds: 30) { _ in 7 }
        #expect(scene.events == [.obstructed(peer(2), .passedOver)] && !scene.engine.isSynced)
        scene.outcomes[2] = .success(WalkOutcome())
        scene.run(seconds: 10) { UInt64($0) + 100 }
        #expect(scene.events.last == .unobstructed(peer(2)) && scene.engine.isSynced)
    }

    @Test("while everybody writes roots differ always: nothing is told, with walks that fail now and then either")
    func load() {
        var scene = Scene()
        scene.run(seconds: 60) { UInt64($0) + 1 }
        for _ in 0..<5 {
            scene.outcomes[2] = .failure(.exchange(.closed))
            scene.run(seconds: 4) { UInt64($0) + 1 }
            scene.outcomes[2] = .success(WalkOutcome())
            scene.run(seconds: 11) { UInt64($0) + 1 }
        }
        #expect(scene.events == [] && scene.engine.isSynced && scene.lag(of: 2) == .zero)
    }

    @Test(
        "changes are lost while the peer refuses walks: that shows within 16 s, and they come within 6 s once it does not"
    )
    func refusedAndLost() {
        var scene = Scene()
        scene.outcomes[2] = .failure(.refused(.busy))
        // More than pulls may ask for.
        scene.head = 200
        scene.run(seconds: 10) { _ in 7 }
        #expect(scene.events == [] && scene.engine.openGapCount == 1)
        scene.run(seconds: 6) { _ in 7 }
        #expect(scene.events == [.obstructed(peer(2), .refused)] && !scene.engine.isSynced)
        #expect(scene.lag(of: 2) > .seconds(10))
        scene.run(seconds: 20) { _ in 7 }
        scene.outcomes[2] = .success(WalkOutcome())
        scene.run(seconds: 6) { _ in 7 }
        #expect(scene.engine.openGapCount == 0 && scene.engine.isSynced && scene.lag(of: 2) == .zero)
        #expect(scene.events.last == .unobstructed(peer(2)) && scene.events.count == 2)
    }

    @Test("a peer that is gone keeps nobody from being synced")
    func gone() {
        var scene = Scene()
        scene.outcomes[2] = .failure(.exchange(.noAnswer))
        scene.run(seconds: 30) { _ in 7 }
        #expect(!scene.engine.isSynced)
        _ = scene.engine.setPeers([peer(3)], at: scene.now)
        #expect(scene.engine.isSynced)
    }

    /// Node 1 with the peers 2 and 3, of which 3 is always equal.
    private struct Scene {
        var engine = TestedEngine(nodeID: NodeID(1))
        var now = EngineInstant.zero
        var events: [ReplicationEvent] = []
        var outcomes: [UInt64: Result<WalkOutcome, WalkError>] = [:]
        /// The last number of peer 2.
        var head: UInt64 = 0
        private var second = 0

        init() {
            _ = engine.setPeers([peer(2), peer(3)], at: .zero)
            _ = engine.open(isSynced: true, at: .zero)
        }

        /// `count`: of rows of peer 2 in each second; 0 are as many as here.
        mutating func run(seconds: Int, count: (Int) -> UInt64) {
            for _ in 0..<seconds {
                second += 1
                let end = now + .seconds(1)
                while engine.nextDeadline < end { carryOut(engine.advance(to: max(now, engine.nextDeadline))) }
                now = end
                for (node, count) in [(UInt64(2), count(second)), (3, 0)] {
                    let message = ReplicationMessage.encode(
                        .init(
                            stream: StreamID(origin: NodeID(node), start: 1), head: node == 2 ? head : 0,
                            summary: TreeSummary(root: UInt128(count), count: count), isReady: true, isSynced: true))
                    carryOut(
                        engine.receive(
                            [
                                Arrival(
                                    message: message, sender: address(node), delivery: .broadcast(reachedEveryone: true)
                                )
                            ],
                            at: now))
                }
            }
        }

        private mutating func carryOut(_ effects: [ReplicationEngine.Effect]) {
            for effect in effects {
                switch effect {
                case .walk(let peer):
                    switch outcomes[peer.nodeID.rawValue] ?? .success(WalkOutcome()) {
                    case .success(let outcome): carryOut(engine.walkFinished(with: peer.nodeID, outcome, at: now))
                    case .failure(let error): carryOut(engine.walkFailed(with: peer.nodeID, error, at: now))
                    }
                case .emit(let event):
                    switch event {
                    case .obstructed, .unobstructed: events.append(event)
                    default: break
                    }
                default: break
                }
            }
        }

        func lag(of node: UInt64) -> Duration {
            engine.engine.peerStatus(wallMilliseconds: 0, at: now).first { $0.nodeID == NodeID(node) }?.lag ?? .zero
        }
    }
}
