import Membership
import Testing
import Transport

@Suite("Seeds and the start")
struct SeedJoinerTests {
    /// Lets every try end with what `outcome` says, and returns the instants of the tries and the start.
    func run(
        _ engine: inout MembershipEngine, first: [Effect], to end: EngineInstant, names: [PeerAddress] = [],
        _ outcome: @escaping (PeerAddress, EngineInstant) -> SeedJoiner.Outcome?
    ) -> (tries: [EngineInstant], start: (decision: StartDecision, at: EngineInstant)?) {
        var tries: [EngineInstant] = []
        var start: (StartDecision, EngineInstant)?
        func respond(_ effect: Effect, _ engine: inout MembershipEngine, _ now: EngineInstant) -> [Effect] {
            switch effect {
            case .emit(.startDecided(let decision)):
                #expect(start == nil, "decided twice")
                start = (decision, now)
                return []
            case .pushPull(let peer, isJoin: true):
                tries.append(now)
                guard let outcome = outcome(peer, now) else { return [] }
                if outcome == .joined {
                    let list = PushPull(
                        isJoin: true, nodes: [PushPullNode(member: alive("b", at: peer), state: .alive)])
                    return engine.merge(list, from: peer, weDialled: true, at: now)
                }
                return engine.pushPullFailed(with: peer, outcome, at: now)
            case .resolveSeed(let seed) where !names.isEmpty:
                return engine.seedResolved(seed, addresses: names, at: now)
            case .resolveSeed, .send, .broadcast, .pushPull, .streamPing, .emit:
                return answering()(effect, &engine, now)
            }
        }
        var pending = first
        while !pending.isEmpty { pending += respond(pending.removeFirst(), &engine, .zero) }
        _ = engine.run(to: end, respond: respond)
        return (tries, start.map { (decision: $0.0, at: $0.1) })
    }

    @Test("Without seeds, or with none but its own address, a node is the first at once")
    func noSeeds() {
        var engine = MembershipEngine.alone("a")
        #expect(engine.join(seeds: [], at: .zero) == [.emit(.startDecided(.first))])
        var own = MembershipEngine.alone("a")
        #expect(own.join(seeds: ["10.0.0.1:7946"], at: .zero) == [.emit(.startDecided(.first))])
    }

    @Test("Who is there is not known for certain until each seed and known member has answered, or was given up once")
    func everyoneAsked() {
        var engine = MembershipEngine.alone("a")
        let known = KnownMember(name: "d", address: address(of: "d"))
        _ = engine.join(seeds: ["10.0.0.2:7946", "10.0.0.3:7946"], knownMembers: [known], at: .zero)
        #expect(!engine.arePeersComplete)
        let list = PushPull(isJoin: true, nodes: [PushPullNode(member: alive("b"), state: .alive)])
        var effects = engine.merge(list, from: address(of: "b"), weDialled: true, at: milliseconds(5))
        effects += engine.pushPullFailed(with: address(of: "c"), .refused, at: milliseconds(6))
        #expect(effects.contains(.emit(.startDecided(.joined))))
        #expect(!engine.arePeersComplete && !effects.contains(.emit(.everyoneAsked)))
        effects = engine.pushPullFailed(with: address(of: "d"), .noAnswer, at: milliseconds(900))
        #expect(engine.arePeersComplete && effects.contains(.emit(.everyoneAsked)))
        #expect(!engine.advance(to: milliseconds(5_000)).contains(.emit(.everyoneAsked)))
        #expect(engine.arePeersComplete)
    }

    @Test("A node with data all of whose seeds refuse for half a second opens, and is the cluster if that stays so")
    func allRefuse() {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.2:7946", "10.0.0.3:7946"], at: .zero)
        let (tries, start) = run(&engine, first: first, to: milliseconds(60_000)) { _, _ in .refused }
        #expect(start?.decision == .refused)
        #expect(start?.at == milliseconds(500))
        // It goes on for ever, each at most 2.5 s apart, so that clusters merge.
        for (earlier, later) in zip(tries, tries.dropFirst()) { #expect(later - earlier <= .milliseconds(2_500)) }
        #expect(tries.last.map { $0 >= milliseconds(57_500) } == true)
        #expect(tries.count < 90)
    }

    @Test("Back-off begins at 100 ms and doubles, with a quarter of jitter, up to 2 s")
    func backOff() {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.2:7946"], at: .zero)
        let (tries, _) = run(&engine, first: first, to: milliseconds(100_000)) { _, _ in .otherKey }
        let gaps = zip(tries, tries.dropFirst()).map { $1 - $0 }
        for (gap, expected) in zip(gaps, [100, 200, 400, 800, 1_000]) {
            #expect(gap >= .milliseconds(expected * 3 / 4) && gap <= .milliseconds(expected * 5 / 4))
        }
        #expect(gaps.suffix(30).allSatisfy { $0 >= .milliseconds(1_500) && $0 <= .milliseconds(2_500) })
    }

    @Test("One that answers is enough; it is not tried again while it lives")
    func joins() {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.3:7946", "10.0.0.2:7946"], at: .zero)
        let (tries, start) = run(&engine, first: first, to: milliseconds(30_000)) { peer, now in
            peer == address(of: "b") ? (now >= milliseconds(2_000) ? .joined : .noAnswer) : .refused
        }
        #expect(start?.decision == .joined)
        #expect(start.map { $0.at >= milliseconds(2_000) && $0.at <= milliseconds(3_300) } == true)
        #expect(tries.count > 10)
        #expect(engine.status(of: "b") == .alive)
    }

    @Test(
        "Silence, other keys, other versions and failing names are waited for until the timeout, then it starts alone",
        arguments: [SeedJoiner.Outcome.noAnswer, .otherKey, .otherTransport, .otherVersion, .nameConflict])
    func alone(outcome: SeedJoiner.Outcome) {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.2:7946", "10.0.0.3:7946"], at: .zero)
        let (_, start) = run(&engine, first: first, to: milliseconds(20_000)) { peer, _ in
            peer == address(of: "b") ? outcome : .refused
        }
        #expect(start?.decision == .alone)
        #expect(start?.at == milliseconds(10_000))
    }

    @Test("Tries that nobody reports back end by themselves")
    func lostReports() {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.2:7946"], at: .zero)
        let (tries, start) = run(&engine, first: first, to: milliseconds(65_000)) { _, _ in nil }
        #expect(start?.decision == .alone)
        #expect(tries.count == 3)
    }

    @Test("A node that a seed reached first counts as joined")
    func reachedBySeed() throws {
        var engine = MembershipEngine.alone("a")
        _ = engine.join(seeds: ["10.0.0.2:7946"], at: .zero)
        _ = engine.pushPullFailed(with: address(of: "b"), .refused, at: .zero)
        let list = PushPull(isJoin: true, nodes: [PushPullNode(member: alive("b"), state: .alive)])
        let effects = engine.merge(
            list, from: address(of: "b").with(port: 4_000), weDialled: false, at: milliseconds(50)
        )
        let ping = try #require(effects.pings.first)
        let confirmed = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: milliseconds(51))
        #expect(confirmed.events.last == .startDecided(.joined))
    }

    @Test("A node that a member reached is not the first, though all of its seeds refuse")
    func reachedByMember() throws {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.9:7946"], at: .zero)
        // Heard of at 400 ms: at 500 ms, when the seed has refused for long enough, it is still being asked.
        _ = run(&engine, first: first, to: milliseconds(400)) { _, _ in .refused }
        let list = PushPull(isJoin: true, nodes: [PushPullNode(member: alive("b"), state: .alive)])
        let heard = engine.merge(
            list, from: address(of: "b").with(port: 4_000), weDialled: false, at: milliseconds(400)
        )
        let ping = try #require(heard.pings.first)
        let (_, early) = run(&engine, first: [], to: milliseconds(800)) { _, _ in .refused }
        #expect(early == nil)
        let confirmed = engine.receive(
            .ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: milliseconds(800))
        #expect(confirmed.events.last == .startDecided(.joined))
    }

    @Test("A node that knows nobody alive dials who pings it, four times a second at most; others do not")
    func asksWhoProbes() throws {
        var engine = MembershipEngine.alone("a")
        _ = engine.join(seeds: ["10.0.0.9:7946"], at: .zero)
        let ping = MembershipMessage.ping(PingBody(sequence: 1, node: "a"))
        let dial = MembershipEngine.Effect.pushPull(with: address(of: "b"), isJoin: true)
        var dials = 0
        for tick: UInt64 in 0..<100 {
            let now = milliseconds(tick * 10)
            dials += engine.receive(ping, from: address(of: "b"), at: now).count { $0 == dial }
            dials += engine.advance(to: now).count { $0 == dial }
        }
        #expect(dials == 4)
        let ownAddress = engine.receive(ping, from: engine.local.address, at: milliseconds(1_200))
        #expect(!ownAddress.contains { if case .pushPull = $0 { true } else { false } })
        var joined = MembershipEngine.joined(["c"], seed: 1)
        let effects = joined.receive(
            .ping(PingBody(sequence: 1, node: joined.local.name)), from: address(of: "b"), at: milliseconds(10))
        #expect(!effects.contains(dial))
    }

    @Test("Host names are resolved afresh for each try; own addresses among them are left out")
    func hostNames() {
        var engine = MembershipEngine.alone("a")
        #expect(engine.join(seeds: ["cluster:7946"], at: .zero) == [.resolveSeed("cluster:7946")])
        let effects = engine.seedResolved(
            "cluster:7946", addresses: [address(of: "a"), address(of: "c"), address(of: "b"), address(of: "c")],
            at: .zero)
        #expect(
            effects == [
                .pushPull(with: address(of: "c"), isJoin: true), .pushPull(with: address(of: "b"), isJoin: true),
            ])
        #expect(engine.seedResolved("cluster:7946", addresses: [address(9)], at: .zero).isEmpty)
        #expect(engine.pushPullFailed(with: address(of: "c"), .refused, at: .zero).isEmpty)
        #expect(engine.pushPullFailed(with: address(of: "b"), .refused, at: .zero) == [.emit(.everyoneAsked)])
        let trace = engine.run(to: milliseconds(126))
        #expect(trace.contains { $0.effect == .resolveSeed("cluster:7946") })
    }

    @Test("An address of a name is tried for ever, though others of that name live")
    func someOfAName() {
        var engine = MembershipEngine.alone("a")
        let (b, c) = (address(of: "b"), address(of: "c"))
        var tries: [EngineInstant] = []
        let first = engine.join(seeds: ["cluster:7946"], at: .zero)
        _ = run(&engine, first: first, to: milliseconds(600_000), names: [b, c]) { peer, now in
            if peer == c { tries.append(now) }
            return peer == b ? .joined : .noAnswer
        }
        #expect(engine.status(of: "b") == .alive)
        // Every 10 s, give or take a quarter.
        #expect((45...85).contains(tries.count), "\(tries.count) tries")
        #expect(tries.last.map { $0 > milliseconds(580_000) } == true)
    }

    @Test("A name with more addresses than are tried at once has each of them tried in turn")
    func manyOfAName() {
        var engine = MembershipEngine.alone("a")
        let all = (100..<140 as Range<UInt32>).map { address($0) }
        var tried: [PeerAddress: Int] = [:]
        let first = engine.join(seeds: ["cluster:7946"], at: .zero)
        let (tries, start) = run(&engine, first: first, to: milliseconds(300_000), names: all) { peer, _ in
            tried[peer, default: 0] += 1
            return .refused
        }
        #expect(tries.count.isMultiple(of: 16))
        #expect(tried.count == 40)
        #expect(start?.decision == .refused)
    }

    @Test(
        "A node without data waits for seeds that refuse as long as a start may last, but on an operator's word",
        arguments: [false, true])
    func withoutData(isBootstrap: Bool) {
        var configuration = MembershipConfiguration()
        configuration.joining.isBootstrap = isBootstrap
        var engine = MembershipEngine(configuration: configuration, local: local("a"), seed: 1)
        let first = engine.join(seeds: ["10.0.0.2:7946"], hasData: false, at: .zero)
        let (_, start) = run(&engine, first: first, to: milliseconds(20_000)) { _, _ in .refused }
        #expect(start?.decision == .first)
        #expect(start?.at == milliseconds(isBootstrap ? 500 : 10_000))
    }

    @Test(
        "Who opened since all refused is the cluster when they still do at the end of a start's time",
        arguments: [true, false])
    func settles(staysAway: Bool) {
        var engine = MembershipEngine.alone("a")
        var pending = engine.join(seeds: ["10.0.0.2:7946"], at: .zero)
        var events: [MembershipEvent] = []
        func respond(_ effect: Effect, _ engine: inout MembershipEngine, _ now: EngineInstant) -> [Effect] {
            if case .emit(let event) = effect { events.append(event) }
            guard case .pushPull(let peer, isJoin: true) = effect else { return [] }
            let answers = !staysAway && now > milliseconds(5_000)
            return engine.pushPullFailed(with: peer, answers ? .noAnswer : .refused, at: now)
        }
        while !pending.isEmpty { pending += respond(pending.removeFirst(), &engine, .zero) }
        _ = engine.run(to: milliseconds(30_000), respond: respond)
        #expect(events.contains(.startDecided(.refused)))
        #expect(events.contains(.nobodyCame) == staysAway)
    }

    @Test("A name that leads to this node only makes it the first; one that does not resolve does not")
    func resolvesToSelf() {
        var engine = MembershipEngine.alone("a")
        _ = engine.join(seeds: ["me:7946"], at: .zero)
        #expect(
            engine.seedResolved("me:7946", addresses: [address(of: "a")], at: .zero)
                == [.emit(.startDecided(.first)), .emit(.everyoneAsked)])
        var unresolved = MembershipEngine.alone("a")
        _ = unresolved.join(seeds: ["me:7946"], at: .zero)
        #expect(unresolved.seedResolved("me:7946", addresses: [], at: .zero) == [.emit(.everyoneAsked)])
        let trace = unresolved.run(to: milliseconds(10_000)) { effect, engine, now in
            guard case .resolveSeed(let seed) = effect else { return [] }
            return engine.seedResolved(seed, addresses: [], at: now)
        }
        #expect(trace.map(\.effect).events == [.startDecided(.alone)])
        #expect(trace.last?.at == milliseconds(10_000))
    }

    @Test("Members of an earlier run are tried like seeds, until a member of that name lives anywhere")
    func knownMembers() {
        var engine = MembershipEngine.alone("a")
        let known = [KnownMember(name: "a", address: address(33)), KnownMember(name: "b", address: address(of: "b"))]
        let first = engine.join(seeds: [], knownMembers: known, at: .zero)
        #expect(first == [.pushPull(with: address(of: "b"), isJoin: true)])
        let (tries, start) = run(&engine, first: first, to: milliseconds(5_000)) { _, _ in .refused }
        #expect(start?.decision == .refused)
        #expect(tries.count > 4)
        // It comes back elsewhere, by somebody else's word.
        let list = PushPull(isJoin: false, nodes: [PushPullNode(member: alive("b", at: address(44)), state: .alive)])
        _ = engine.merge(list, from: address(44), weDialled: true, at: milliseconds(5_000))
        let later = run(&engine, first: [], to: milliseconds(40_000)) { _, _ in .refused }
        #expect(later.tries.isEmpty)
    }

    @Test("Failed members are tried again with back-off from 1 s to 2 s, and no more once they live")
    func failedMembers() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.dead(accusation("b", from: "c")), from: address(of: "c"), at: .zero)
        let (tries, _) = run(&engine, first: [], to: milliseconds(120_000)) { peer, _ in
            #expect(peer == address(of: "b"))
            return .refused
        }
        #expect(tries.count >= 48 && tries.count <= 82)
        #expect(tries.first == milliseconds(1_000))
        _ = engine.receive(.alive(alive("b", incarnation: 2)), from: address(of: "b"), at: milliseconds(120_000))
        let later = run(&engine, first: [], to: milliseconds(240_000)) { _, _ in .refused }
        #expect(later.tries.isEmpty)
    }

    @Test("A seed whose member fails is tried again")
    func seedFails() {
        var engine = MembershipEngine.alone("a")
        let first = engine.join(seeds: ["10.0.0.2:7946"], at: .zero)
        let (_, start) = run(&engine, first: first, to: milliseconds(5_000)) { _, _ in .joined }
        #expect(start?.decision == .joined)
        _ = engine.receive(.dead(accusation("b", from: "c")), from: address(of: "b"), at: milliseconds(5_000))
        _ = engine.run(to: milliseconds(5_001))
        let (tries, _) = run(&engine, first: [], to: milliseconds(30_000)) { _, _ in .joined }
        #expect(!tries.isEmpty)
    }

    @Test("Seeds past the limit are ignored, and no more tries are under way than allowed")
    func limits() {
        var configuration = MembershipConfiguration()
        configuration.joining.maxSeeds = 20
        configuration.joining.maxAttemptsAtOnce = 4
        var engine = MembershipEngine.alone("a", configuration: configuration)
        let seeds = (2..<60).map { "10.0.0.\($0):7946" }
        var tried = Set(engine.join(seeds: seeds, at: .zero).pushPulls)
        #expect(tried.count == 4)
        for address in tried.sorted() { _ = engine.pushPullFailed(with: address, .noAnswer, at: .zero) }
        _ = engine.run(to: milliseconds(5_000)) { effect, engine, now in
            guard case .pushPull(let peer, _) = effect else { return [] }
            tried.insert(peer)
            return engine.pushPullFailed(with: peer, .noAnswer, at: now)
        }
        #expect(tried.count == 20)
    }
}
