import Membership
import Testing
import Transport

@Suite("Tries of members that failed")
struct RetryTests {
    @Test("Two failed members are each tried at least every 2 s, with a quarter of jitter; after an hour every 30 s")
    func twoFailedMembers() {
        var engine = MembershipEngine.joined(["b", "c", "d"])
        for name in ["b", "c"] {
            _ = engine.receive(.dead(accusation(name, from: "d")), from: address(of: "d"), at: .zero)
        }
        let tries = retries(&engine, to: milliseconds(3_900_000))
        #expect(Set(tries.keys) == [address(of: "b"), address(of: "c")])
        for (_, instants) in tries {
            // The distance that all tries keep may add an eighth of a second.
            let early = gaps(instants.filter { $0 <= milliseconds(3_600_000) })
            #expect(early.allSatisfy { $0 <= .milliseconds(2_625) })
            // The back-off goes on doubling.
            let late = gaps(instants.filter { $0 >= milliseconds(3_640_000) })
            #expect(late.count >= 4)
            #expect(late.allSatisfy { $0 >= .milliseconds(22_500) && $0 <= .milliseconds(37_625) })
        }
    }

    @Test("However many have failed, at most 8 tries begin in a second, and each gets its share")
    func thousandFailedMembers() {
        var engine = large(failed: 1_000, living: 1)
        let tries = retries(&engine, to: milliseconds(400_000))
        let all = tries.values.joined().sorted()
        #expect(gaps(all).allSatisfy { $0 >= .milliseconds(125) })
        // It makes use of what it may.
        #expect(all.count >= 3_100)
        #expect(tries.count == 1_000)
        #expect(tries.values.allSatisfy { gaps($0).allSatisfy { $0 <= .seconds(150) } })
    }

    @Test("While dials lead nowhere no more than 16 are under way, and the engine does not spin")
    func thousandSilentMembers() {
        var engine = large(failed: 1_000, living: 1)
        var triesCount = 0
        var advanceCount = 0
        while let next = engine.nextDeadline, next <= milliseconds(29_000) {
            advanceCount += 1
            for effect in engine.advance(to: next) {
                if case .pushPull(_, isJoin: true) = effect { triesCount += 1 }
                _ = answering()(effect, &engine, next)
            }
        }
        #expect(triesCount == 16)
        #expect(advanceCount < 29 * 25)
        #expect(engine.stats.pauses == 0)
    }

    @Test("Of many failed members one that failed lately is tried more often than those that are long gone")
    func failedLately() {
        var configuration = MembershipConfiguration()
        configuration.joining.longFailed = .seconds(60)
        var engine = large(failed: 1_000, living: 2, configuration: configuration)
        _ = retries(&engine, to: milliseconds(300_000))
        let dead = AccusationBody(incarnation: 1, node: Self.name(1_000), from: Self.name(1_001))
        _ = engine.receive(.dead(dead), from: address(1_002), at: milliseconds(300_000))
        let tries = retries(&engine, to: milliseconds(355_000))
        let instants = tries[address(1_001)] ?? []
        #expect(instants.count >= 4)
        #expect(gaps(instants).allSatisfy { $0 <= .seconds(15) })
        #expect(gaps(tries.values.joined().sorted()).allSatisfy { $0 >= .milliseconds(125) })
    }

    @Test("In a large cluster each node tries a failed member up to 30 s apart: all of them do")
    func largeCluster() {
        for (living, longest) in [(15, 2_000), (79, 10_000), (999, 30_000)] as [(Int, Int)] {
            var engine = large(failed: 1, living: living)
            let tries = retries(&engine, to: milliseconds(300_000))
            let late = gaps(tries[address(1)] ?? []).suffix(4)
            #expect(late.count == 4)
            #expect(
                late.allSatisfy {
                    $0 >= .milliseconds(longest * 3 / 4) && $0 <= .milliseconds(longest * 5 / 4)
                }, "\(living) others: \(late)")
        }
    }

    private static func name(_ index: Int) -> String { "node-\(index)" }

    /// The engine of a node in whose cluster `failed` members have failed, and the `living` after those have not.
    func large(
        failed: Int, living: Int, configuration: MembershipConfiguration = MembershipConfiguration()
    ) -> MembershipEngine {
        let others = (0..<failed + living).map { index in
            AliveBody(
                incarnation: 1, node: Self.name(index), address: address(UInt32(index + 1)),
                meta: local(Self.name(index), id: NodeID(UInt64(index + 1))).meta)
        }
        var engine = MembershipEngine(
            configuration: configuration, local: local("a", at: address(60_000)), joinedWith: others, seed: 1)
        for index in 0..<failed {
            let dead = AccusationBody(incarnation: 1, node: others[index].node, from: others[failed].node)
            _ = engine.receive(.dead(dead), from: others[failed].address, at: .zero)
        }
        return engine
    }

    /// Lets every try be refused, and returns when each address was tried.
    func retries(_ engine: inout MembershipEngine, to end: EngineInstant) -> [PeerAddress: [EngineInstant]] {
        var tries: [PeerAddress: [EngineInstant]] = [:]
        _ = engine.run(to: end) { effect, engine, now in
            guard case .pushPull(let peer, isJoin: true) = effect else { return answering()(effect, &engine, now) }
            tries[peer, default: []].append(now)
            return engine.pushPullFailed(with: peer, .refused, at: now)
        }
        return tries
    }

    func gaps(_ instants: [EngineInstant]) -> [Duration] { zip(instants, instants.dropFirst()).map { $1 - $0 } }

    /// TCP repeats what opens a stream after 1 s, and the dial is given up after 3 s. The first dial that gets through
    /// brings both sides' lists together.
    @Test("Two sides of a cut dial each other so often that a dial gets through within 4 s of the cut's end")
    func dialsAcrossCut() {
        for seed: UInt64 in 1...20 {
            let healed = milliseconds(32_000 + seed * 197)
            let dials =
                dials(seed: seed, to: healed + .seconds(10)) + dials(seed: 100 + seed, to: healed + .seconds(10))
            let through = dials.flatMap { [$0, $0 + .seconds(1)] }.filter { $0 >= healed }.min()
            #expect(through.map { $0 - healed <= .milliseconds(3_990) } == true, "seed \(seed)")
        }
    }

    /// When a node dials the only other member, which has failed, while every dial is given up after 3 s.
    private func dials(seed: UInt64, to end: EngineInstant) -> [EngineInstant] {
        var engine = MembershipEngine.joined(["b"], seed: seed)
        _ = engine.receive(.dead(accusation("b", from: "c")), from: address(of: "c"), at: .zero)
        var dials: [EngineInstant] = []
        var failure: EngineInstant?
        while let next = [engine.nextDeadline, failure].compactMap({ $0 }).min(), next <= end {
            var effects = engine.advance(to: next)
            if next == failure {
                failure = nil
                effects += engine.pushPullFailed(with: address(of: "b"), .noAnswer, at: next)
            }
            for case .pushPull(_, isJoin: true) in effects {
                dials.append(next)
                failure = next + .seconds(3)
            }
        }
        return dials
    }
}
