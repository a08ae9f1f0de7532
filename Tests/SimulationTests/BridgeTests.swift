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
}
