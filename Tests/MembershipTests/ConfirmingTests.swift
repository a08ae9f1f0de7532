import Membership
import Testing
import Transport

@Suite("Members known by hearsay")
struct ConfirmingTests {
    func invented(_ number: Int) -> AliveBody {
        AliveBody(incarnation: 1, node: "invented-\(number)", address: address(UInt32(1_000 + number)), meta: nil)
    }

    @Test("A joiner is pinged in the moment it is heard of, confirmed by its ack, and passed on only then")
    func joiner() throws {
        var engine = MembershipEngine.joined(["b"])
        let heard = engine.receive(.alive(alive("x")), from: address(of: "b"), at: milliseconds(1))
        #expect(heard.broadcasts.isEmpty)
        #expect(heard.events.count == 1)
        let ping = try #require(heard.pings.first)
        #expect(ping.to == address(of: "x") && ping.body.node == "x")
        #expect(engine.clusterSize == 2)
        #expect(
            engine.receive(.ack(AckBody(sequence: ping.body.sequence &+ 1)), from: ping.to, at: milliseconds(2)).isEmpty
        )
        let effects = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: milliseconds(2))
        let member = try #require(engine.member(named: "x"))
        #expect(member.isConfirmed && member.lastSeen == milliseconds(2))
        #expect(effects == [.emit(.memberJoined(member)), .broadcast(.alive(alive("x")), about: "x")])
        #expect(engine.clusterSize == 3)
    }

    @Test("One that never answers is pinged three times, then forgotten; health and others are untouched")
    func neverAnswers() {
        var engine = MembershipEngine.joined(["b"])
        _ = engine.receive(.alive(invented(1)), from: address(of: "b"), at: .zero)
        let trace = engine.run(to: milliseconds(3_000), respond: answering(except: ["invented-1"]))
        // The first ping went out in `receive`.
        #expect(trace.count { $0.effect.isPing(to: "invented-1") } == 2)
        #expect(engine.members.map(\.name) == ["a", "b"])
        let events = trace.map(\.effect).events
        #expect(events.count == 1)
        guard case .memberForgotten(let member)? = events.first else { return }
        #expect(!member.isConfirmed)
        #expect(engine.localHealth == 0)
        #expect(engine.stats.failedProbes == 0)
    }

    @Test("Accusations against unconfirmed members start nothing; their farewell removes them quietly")
    func accusedUnconfirmed() {
        var engine = MembershipEngine.joined(["b"])
        _ = engine.receive(.alive(invented(1)), from: address(of: "b"), at: .zero)
        #expect(
            engine.receive(.suspect(accusation("invented-1", from: "b")), from: address(of: "b"), at: .zero).isEmpty)
        let gone = engine.receive(
            .dead(accusation("invented-1", from: "invented-1")), from: address(of: "b"), at: .zero)
        #expect(gone.broadcasts.isEmpty && gone.events.count == 1)
        #expect(engine.members.count == 2)
    }

    @Test("An answer from where a member lived before does not confirm where it lives now")
    func movedWhileChecked() throws {
        var engine = MembershipEngine.joined(["b"])
        let ping = try #require(
            engine.receive(.alive(alive("x")), from: address(of: "b"), at: .zero).pings.first)
        _ = engine.receive(.alive(alive("x", incarnation: 2, at: address(70))), from: address(of: "b"), at: .zero)
        let effects = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(engine.member(named: "x")?.isConfirmed == false)
        #expect(effects.pings.map(\.to) == [address(70)])
    }

    @Test("Confirming pings are limited in rate, and go to members told by members first")
    func rate() {
        var engine = MembershipEngine.joined(["b"])
        var pings: [String] = []
        for number in 0..<100 {
            pings += engine.receive(.alive(invented(number)), from: address(9_999), at: .zero).pings.map(\.body.node)
        }
        #expect(pings.count == 8)
        #expect(engine.receive(.alive(alive("x")), from: address(of: "b"), at: milliseconds(10)).pings.isEmpty)
        let next = engine.run(to: milliseconds(100), respond: answering()).compactMap(\.effect.pingTarget)
            .filter { $0 != "b" }
        #expect(next.count == 8)
        #expect(next.contains("x"))
        #expect(engine.member(named: "x")?.isConfirmed == true)
    }

    @Test("50,000 invented names: bounded memory, real failures found as fast as ever, a joiner gets in, all vanish")
    func flood() throws {
        var engine = MembershipEngine.joined(["b", "c", "d"])
        var mostMembers = 0
        var failedAt: EngineInstant?
        var joinedAt: EngineInstant?
        var generator = SeededGenerator(seed: 3)
        let answer = answering(except: ["d"])
        // The helpers are well, and say that "d" is not.
        func respond(_ effect: Effect, _ engine: inout MembershipEngine, _ now: EngineInstant) -> [Effect] {
            if case .send(.indirectPing(let request), let peer) = effect {
                return engine.receive(.nack(NackBody(sequence: request.sequence)), from: peer, at: now)
            }
            return effect.pingTarget?.hasPrefix("invented") == true ? [] : answer(effect, &engine, now)
        }

        func note(_ effects: [Effect], at now: EngineInstant) {
            for event in effects.events {
                if case .memberFailed(let member, _) = event, member.name == "d" { failedAt = now }
                if case .memberJoined(let member) = event, member.name == "x" { joinedAt = now }
            }
        }
        // 10,000 a second for 5 s, while "d" is dead from the start and "b" and "c" confirm that.
        for number in 0..<50_000 {
            let now = EngineInstant(nanoseconds: UInt64(number) * 100_000)
            for (at, effect) in engine.run(to: now, respond: respond) { note([effect], at: at) }
            let source = address(UInt32.random(in: 100_000..<200_000, using: &generator))
            _ = engine.receive(.alive(invented(number)), from: source, at: now)
            if number == 10_000 {
                for name in ["b", "c"] {
                    _ = engine.receive(.suspect(accusation("d", from: name)), from: address(of: name), at: now)
                }
            }
            if number == 20_000 {
                for effect in engine.receive(.alive(alive("x")), from: address(of: "b"), at: now) {
                    note(respond(effect, &engine, now), at: now)
                }
            }
            if number % 1_000 == 0 { mostMembers = max(mostMembers, engine.members.count) }
        }
        #expect(mostMembers <= 4 + 1 + engine.configuration.maxUnconfirmedMembers)
        #expect(engine.localHealth == 0)
        let failed = try #require(failedAt)
        #expect(failed <= milliseconds(4_750))
        let joined = try #require(joinedAt)
        #expect(joined <= milliseconds(2_100))
        #expect(engine.stats.confirmingPings <= 5 * 80 + 16)
        // 1,024 members with three pings each, at 80 pings a second, take 38 s.
        _ = engine.run(to: milliseconds(46_000), respond: respond)
        #expect(engine.members.map(\.name) == ["a", "b", "c", "d", "x"])
        #expect(engine.members.map(\.status) == [.alive, .alive, .alive, .failed, .alive])
    }

    @Test(
        "The list is bounded: unconfirmed members go first, then the longest failed; living ones are never pushed out")
    func maxMembers() {
        var configuration = MembershipConfiguration()
        configuration.maxMembers = 5
        configuration.maxUnconfirmedMembers = 2
        configuration.confirmationsPerInterval = 1
        var engine = MembershipEngine.joined(["b", "c"], configuration: configuration)
        _ = engine.receive(.dead(accusation("c", from: "b")), from: address(of: "b"), at: .zero)
        for number in 0..<4 { _ = engine.receive(.alive(invented(number)), from: address(9_999), at: .zero) }
        // One is being pinged, the other is the latest.
        #expect(engine.members.map(\.name) == ["a", "b", "c", "invented-0", "invented-3"])
        _ = engine.receive(.alive(alive("x")), from: address(of: "b"), at: .zero)
        #expect(engine.members.map(\.name) == ["a", "b", "c", "invented-0", "x"])
        // What is vouched for does not give way to what anybody says.
        _ = engine.receive(.alive(invented(7)), from: address(9_999), at: .zero)
        #expect(engine.members.map(\.name) == ["a", "b", "c", "invented-0", "x"])
        #expect(engine.stats.refusedMembers == 1)
        // Two living ones more: the failed one goes, and then nobody is left to go.
        for name in ["d", "e"] {
            let list = PushPull(isJoin: false, nodes: [PushPullNode(member: alive(name), state: .alive)])
            _ = engine.merge(list, from: address(of: name), weDialled: true, at: .zero)
        }
        #expect(engine.members.count <= 5)
        #expect(engine.status(of: "b") == .alive)
    }
}
