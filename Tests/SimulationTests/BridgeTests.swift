import Cluster
import Replication
@testable import Simulation
import Testing
import Transport

/// Two nodes cannot reach each other, though both reach others.
@Suite("Bridges in virtual time")
struct BridgeTests {
    /// Who does not reach whom.
    enum Cut: CaseIterable, Sendable {
        case both, oneWay, otherWay
        case several

        var pairs: [(Int, Int)] {
            switch self {
            case .both: [(0, 1), (1, 0)]
            case .oneWay: [(0, 1)]
            case .otherWay: [(1, 0)]
            case .several: [(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 4), (4, 2)]
            }
        }
    }

    @Test(
        "a write is everywhere within 2 s though its writer does not reach all",
        arguments: TransportKind.allCases, Cut.allCases)
    func soon(transport: TransportKind, cut: Cut) {
        for seed: UInt64 in 1...5 {
            let world = started(cut == .several ? 5 : 3, transport, seed: seed)
            for (from, to) in cut.pairs { world.network.cut(from, to) }
            // Short of the 25 s after which somebody may be given up.
            for step in 0..<90 {
                world.write(.create(text: "x"), key: "\(seed) \(step)", on: step % world.nodes.count)
                world.run(until: world.now + .milliseconds(210))
            }
            world.run(until: world.now + .seconds(2))
            #expect(world.areEqual)
            #expect(world.violations == [], "seed \(seed)")
        }
    }

    @Test("a write now and then is as soon as many", arguments: TransportKind.allCases)
    func seldom(transport: TransportKind) {
        for seed: UInt64 in 1...5 {
            let world = started(3, transport, seed: seed)
            for (from, to) in Cut.both.pairs { world.network.cut(from, to) }
            for step in 0..<8 {
                world.write(.create(text: "x"), key: "\(seed) \(step)", on: step % 2)
                world.run(until: world.now + .milliseconds(2_700))
            }
            #expect(world.violations == [], "seed \(seed)")
        }
    }

    /// How often somebody writes in the bridge that lasts.
    enum Load: CaseIterable, Sendable { case none, seldom, often }

    @Test(
        "in a bridge that lasts both ends have the same data and say that they are synced, without lag",
        arguments: TransportKind.allCases, Load.allCases)
    func truthful(transport: TransportKind, load: Load) {
        let world = started(5, transport)
        for (from, to) in Cut.both.pairs { world.network.cut(from, to) }
        var untruths: [String] = []
        for step in 0..<600 {
            let isDue = load == .often || (load == .seldom && step % 30 == 0)
            if isDue && load != .none { world.write(.create(text: "x"), key: "key \(step)", on: step % 5) }
            world.run(until: world.now + .milliseconds(100))
            for index in 0...1 where step % 10 == 0 {
                guard let core = world.nodes[index].process?.core.replication else { continue }
                let lags = core.peerStatus(wallMilliseconds: 0, at: world.now).compactMap(\.lag)
                if !core.isSynced || lags.contains(where: { $0 > .seconds(10) }) {
                    untruths.append("\(step / 10) s: node \(index) \(core.isSynced) \(lags.max() ?? .zero)")
                }
            }
        }
        #expect(untruths == [])
        #expect(world.nodes[0].process?.core.replication.obstacles == [:])
        world.run(until: world.now + .seconds(2))
        #expect(world.violations == [])
    }

    @Test("a node whose changes reach nobody says so, though its peers agree", arguments: TransportKind.allCases)
    func notInABridge(transport: TransportKind) {
        let world = started(4, transport)
        for other in 1...3 { world.network.cut(0, other) }
        let isShown = world.reach(within: .seconds(40), every: .milliseconds(500)) { world in
            (1...3).allSatisfy { index in
                guard let core = world.nodes[index].process?.core.replication else { return false }
                // It has failed, or something shows.
                return core.peers.count == 2 || !core.isSynced
            }
        }
        #expect(isShown)
    }

    @Test("what a bridge costs under 20 writes a second is a small part of what is there", arguments: [3, 5])
    func cost(nodeCount: Int) {
        let world = started(nodeCount, .udp)
        for step in 0..<3_000 {
            world.write(
                .create(text: "a text of some length, as people write"), key: "row \(step)", on: step % nodeCount)
            if step % 10 == 0 { world.run(until: world.now + .milliseconds(20)) }
        }
        #expect(world.reach(within: .seconds(10)) { $0.areEqual })
        for (from, to) in Cut.both.pairs { world.network.cut(from, to) }
        let before = world.walks
        for step in 0..<1_200 {
            world.write(.create(text: "x"), key: "key \(step)", on: step % nodeCount)
            world.run(until: world.now + .milliseconds(50))
        }
        let after = world.walks
        let (count, bytes) = (after.count - before.count, after.bytes - before.bytes)
        // Each end asks those that reach the other about once a second, and tries the other itself now and then. Of 3,000 to
        // 4,200 rows of 100 bytes each walk moves what differs.
        #expect(count <= 300, "\(count) walks")
        #expect(bytes <= 3_000_000, "\(bytes) bytes")
    }
}

extension World {
    /// Walks that nodes have led, and the bytes of exchanges that they sent.
    fileprivate var walks: (count: Int, bytes: Int) {
        nodes.reduce(into: (0, 0)) { sum, node in
            sum.0 += node.process?.core.replication.stats.startedWalks ?? 0
            sum.1 += node.process?.core.traffic.sentBytes ?? 0
        }
    }
}
