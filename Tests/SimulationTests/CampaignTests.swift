import Simulation
import Testing

/// Whole clusters under faults, judged by checkers that know nothing of the implementation.
@Suite("Simulated clusters")
struct CampaignTests {
    private static func plan(_ faults: String, _ transport: TransportKind) throws -> Run.Plan {
        var plan = Run.Plan()
        plan.options.faults = try #require(Faults.presets[faults])
        plan.options.transport = transport
        plan.chaosTime = .seconds(30)
        return plan
    }

    @Test("Under chaos nothing acknowledged is lost, and all end equal", arguments: TransportKind.allCases)
    func chaos(transport: TransportKind) throws {
        for seed: UInt64 in 1...4 {
            var plan = try Self.plan("chaos", transport)
            plan.options.nodeCount = 3 + Int(seed % 3)
            let result = Run.result(of: plan, seed: seed)
            #expect(result.violations.isEmpty, "seed \(seed): \(result.violations)")
            #expect(result.acknowledgedCount > 100 && result.stats.faults > 0)
            #expect(result.healedAfter != nil)
        }
    }

    @Test("The same seed gives the same trace, another one another", arguments: TransportKind.allCases)
    func repeats(transport: TransportKind) throws {
        let plan = try Self.plan("chaos", transport)
        let (first, second) = (Run.result(of: plan, seed: 7), Run.result(of: plan, seed: 7))
        #expect(first.fingerprint == second.fingerprint && first.stats == second.stats)
        #expect(Run.result(of: plan, seed: 8).fingerprint != first.fingerprint)
    }

    @Test("Without walks a checker notices that replicas differ")
    func withoutWalks() throws {
        var plan = try Self.plan("crashes", .udp)
        plan.options.without = [.walks]
        plan.healTime = .seconds(10)
        let checkers = (1...5).flatMap { seed in
            Run.result(of: plan, seed: UInt64(seed)).violations.map(\.checker)
        }
        #expect(checkers.contains(.lostWrite) && checkers.contains(.notEqual))
    }
}
