import Membership
import Testing
import Transport

@Suite("Failure detection")
struct ProbingTests {
    @Test("A ping for us is acked to its source, one without source to where it came from, one for another is not")
    func answersPings() {
        var engine = MembershipEngine.joined(["b"])
        let ack = MembershipMessage.ack(AckBody(sequence: 5))
        let from = address(50)
        #expect(
            engine.receive(.ping(PingBody(sequence: 5, node: "a", source: address(7))), from: from, at: .zero)
                == [.send(ack, to: address(7))])
        #expect(engine.receive(.ping(PingBody(sequence: 5, node: "")), from: from, at: .zero) == [.send(ack, to: from)])
        #expect(engine.receive(.ping(PingBody(sequence: 5, node: "z")), from: from, at: .zero).isEmpty)
        #expect(engine.answer(toStreamPing: PingBody(sequence: 5, node: "a")) == AckBody(sequence: 5))
        #expect(engine.answer(toStreamPing: PingBody(sequence: 5, node: "z")) == nil)
    }

    @Test("An indirect ping is carried out; the asker gets an ack with its own number, or a nack after 200 ms")
    func relays() throws {
        var engine = MembershipEngine.joined(["b", "c"])
        let request = IndirectPingBody(sequence: 77, target: address(of: "c"), node: "c", source: address(of: "b"))
        let effects = engine.receive(.indirectPing(request), from: address(50), at: .zero)
        let ping = try #require(effects.pings.first)
        #expect(ping.to == address(of: "c"))
        #expect(ping.body.node == "c" && ping.body.source == address(of: "a") && ping.body.sequence != 77)
        let ack = MembershipMessage.ack(AckBody(sequence: ping.body.sequence))
        #expect(
            engine.receive(ack, from: address(of: "c"), at: milliseconds(1))
                == [.send(.ack(AckBody(sequence: 77)), to: address(of: "b"))])
        #expect(engine.receive(ack, from: address(of: "c"), at: milliseconds(1)).isEmpty)

        _ = engine.receive(.indirectPing(request), from: address(50), at: milliseconds(2))
        let trace = engine.run(to: milliseconds(202), respond: answering())
        let nacks = trace.filter { $0.effect == .send(.nack(NackBody(sequence: 77)), to: address(of: "b")) }
        #expect(nacks.map(\.at) == [milliseconds(202)])
    }

    @Test("No nack for who did not ask for one, and no more than the bounded number at once")
    func relayLimits() {
        var configuration = MembershipConfiguration()
        configuration.maxRelays = 2
        var engine = MembershipEngine.joined(["b"], configuration: configuration)
        let request = IndirectPingBody(sequence: 7, target: address(9), node: "x", wantsNack: false)
        for _ in 0..<3 { _ = engine.receive(.indirectPing(request), from: address(50), at: .zero) }
        #expect(engine.stats.relays == 2)
        #expect(engine.stats.droppedRelays == 1)
        let trace = engine.run(to: milliseconds(400), respond: answering())
        #expect(!trace.contains { if case .send(.nack, _) = $0.effect { true } else { false } })
        _ = engine.receive(.indirectPing(request), from: address(50), at: milliseconds(400))
        #expect(engine.stats.relays == 3)
    }

    @Test("A silent member: direct ping, after 200 ms helpers and stream, after 500 ms suspect, 3 s later failed")
    func wholeProbe() throws {
        var engine = MembershipEngine.joined(["b", "c"])
        let trace = engine.run(to: milliseconds(6_000), respond: answering(except: ["c"]))
        let ping = try #require(trace.first { $0.effect.isPing(to: "c") })
        let start = ping.at
        let request = try #require(trace.first { if case .send(.indirectPing, _) = $0.effect { true } else { false } })
        #expect(request.at == start + .milliseconds(200))
        guard case .send(.indirectPing(let body), let helper) = request.effect,
            case .send(.ping(let direct), _) = ping.effect
        else { return }
        #expect(helper == address(of: "b"))
        #expect(
            body
                == IndirectPingBody(
                    sequence: direct.sequence, target: address(of: "c"), node: "c", source: address(of: "a"),
                    sourceNode: "a"))
        #expect(trace.contains { $0.at == request.at && $0.effect == .streamPing(direct, to: address(of: "c")) })
        let suspected = try #require(
            trace.first { $0.effect.isEvent { if case .memberSuspected = $0 { true } else { false } } })
        #expect(suspected.at == start + .milliseconds(500))
        let failed = try #require(
            trace.first { $0.effect.isEvent { if case .memberFailed = $0 { true } else { false } } })
        #expect(failed.at == start + .milliseconds(3_500))
        #expect(engine.status(of: "c") == .failed)
        #expect(engine.status(of: "b") == .alive)
        // While suspect it was told so with each ping.
        let told = trace.filter { $0.effect == .send(.suspect(accusation("c", from: "a")), to: address(of: "c")) }
        #expect(told.count >= 2)
    }

    @Test("An indirect ack or an answer by stream saves the probe; a nack does not")
    func savedProbes() throws {
        for rescue in ["ack", "stream", "nack"] {
            var engine = MembershipEngine.joined(["b"])
            _ = engine.run(to: milliseconds(750)) { effect, engine, now in
                guard case .streamPing(let ping, _) = effect else { return [] }
                switch rescue {
                case "ack": return engine.receive(.ack(AckBody(sequence: ping.sequence)), from: address(77), at: now)
                case "stream": return engine.streamPingAnswered(sequence: ping.sequence, at: now)
                default: return engine.receive(.nack(NackBody(sequence: ping.sequence)), from: address(77), at: now)
                }
            }
            _ = engine.run(to: milliseconds(1_100))
            #expect(engine.status(of: "b") == (rescue == "nack" ? .suspect : .alive), "\(rescue)")
        }
    }

    @Test("Acks and nacks with numbers that we did not use are ignored")
    func unknownNumbers() {
        var engine = MembershipEngine.joined(["b"])
        #expect(engine.receive(.ack(AckBody(sequence: 1)), from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.receive(.nack(NackBody(sequence: 1)), from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.streamPingAnswered(sequence: 1, at: .zero).isEmpty)
    }

    @Test("A failed probe costs health when no helper answered, nothing when all nacked, and success heals")
    func localHealth() {
        var engine = MembershipEngine.joined(["b", "c", "d"])
        _ = engine.run(to: milliseconds(2_000)) { effect, engine, now in
            switch effect {
            case .send(.ping(let ping), let peer) where ping.node != "d":
                engine.receive(.ack(AckBody(sequence: ping.sequence)), from: peer, at: now)
            case .send(.indirectPing(let request), let peer):
                engine.receive(.nack(NackBody(sequence: request.sequence)), from: peer, at: now)
            default: []
            }
        }
        #expect(engine.stats.failedProbes >= 1)
        #expect(engine.localHealth == 0)
        #expect(engine.stats.suspicions == 1 && engine.stats.failures == 0)
        #expect(engine.confirmedCount(of: .alive) == 3 && engine.confirmedCount(of: .suspect) == 1)
        _ = engine.run(to: milliseconds(30_000)) { effect, engine, now in
            guard case .send(.ping(let ping), let peer) = effect, ping.node != "d" else { return [] }
            return engine.receive(.ack(AckBody(sequence: ping.sequence)), from: peer, at: now)
        }
        #expect(engine.stats.suspicions == 1 && engine.stats.failures == 1)
        #expect(engine.confirmedCount(of: .alive) == 3 && engine.confirmedCount(of: .failed) == 1)

        var alone = MembershipEngine.joined(["b", "c", "d", "e", "f", "g", "h"])
        let trace = alone.run(to: milliseconds(4_000))
        #expect(alone.localHealth > 1)
        // Sick nodes probe more slowly: fewer than one every 500 ms.
        #expect(trace.count { $0.effect.isPing(to: nil) } < 6)
        _ = alone.run(to: milliseconds(60_000), respond: answering())
        #expect(alone.localHealth == 0)
    }

    @Test("With five members every other is probed once in each 1.25 s, with seven once in twelve ticks at most")
    func probeOrder() {
        var engine = MembershipEngine.joined(["b", "c", "d", "e"])
        #expect(engine.probePace == .nanoseconds(312_500_000))
        let names = engine.run(to: milliseconds(10_000), respond: answering()).compactMap { $0.effect.pingTarget }
        for start in 0..<(names.count - 4) { #expect(Set(names[start..<(start + 4)]).count == 4) }

        var larger = MembershipEngine.joined(["b", "c", "d", "e", "f", "g"])
        #expect(larger.probePace == .milliseconds(500))
        let order = larger.run(to: milliseconds(30_000), respond: answering()).compactMap { $0.effect.pingTarget }
        for round in 0..<(order.count / 6) { #expect(Set(order[(round * 6)..<(round * 6 + 6)]).count == 6) }
    }

    @Test("Independent confirmations shorten a suspicion; repeated, invented and surplus ones do not")
    func confirmations() {
        var engine = MembershipEngine.joined(["b", "c", "d", "e"])
        _ = engine.receive(.suspect(accusation("e", from: "b")), from: address(of: "b"), at: .zero)
        #expect(engine.receive(.suspect(accusation("e", from: "b")), from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.receive(.suspect(accusation("e", from: "zz")), from: address(of: "b"), at: .zero).isEmpty)
        let second = MembershipMessage.suspect(accusation("e", from: "c"))
        #expect(engine.receive(second, from: address(of: "c"), at: .zero) == [.broadcast(second, about: "e")])
        let third = MembershipMessage.suspect(accusation("e", from: "d"))
        #expect(engine.receive(third, from: address(of: "d"), at: .zero) == [.broadcast(third, about: "e")])
        let trace = engine.run(to: milliseconds(4_000), respond: answering())
        let failed = trace.first { $0.effect.isEvent { if case .memberFailed = $0 { true } else { false } } }
        #expect(failed?.at == milliseconds(3_000))
    }

    @Test("In a cluster of 1,000 a suspicion that two others confirm lasts 6 s: 4 x log10(1000) x 0.5 s")
    func largeClusterSuspicion() {
        let others =
            ["b", "c", "d"].map { alive($0) }
            + (0..<996).map { alive("m\($0)", id: NodeID(1_000 + UInt64($0)), at: address(1_000 + UInt32($0))) }
        var engine = MembershipEngine(local: local("a"), joinedWith: others, seed: 1)
        for accuser in ["b", "c", "d"] {
            _ = engine.receive(.suspect(accusation("m7", from: accuser)), from: address(of: accuser), at: .zero)
        }
        _ = engine.run(to: milliseconds(5_999), respond: answering())
        #expect(engine.status(of: "m7") == .suspect)
        _ = engine.run(to: milliseconds(6_000), respond: answering())
        #expect(engine.status(of: "m7") == .failed)
    }

    @Test("A suspicion that nobody confirms lasts six times as long where confirmations could come")
    func unconfirmedSuspicion() {
        var engine = MembershipEngine.joined(["b", "c", "d", "e"])
        _ = engine.receive(.suspect(accusation("e", from: "b")), from: address(of: "b"), at: .zero)
        _ = engine.run(to: milliseconds(17_999), respond: answering())
        #expect(engine.status(of: "e") == .suspect)
        _ = engine.run(to: milliseconds(18_000), respond: answering())
        #expect(engine.status(of: "e") == .failed)
    }

    @Test("A member that came after the suspect was last seen is not waited for: it never knew the suspect")
    func newcomerDuringDetection() {
        for hasCome in [false, true] {
            var engine = MembershipEngine.joined(["b", "c"])
            let list = PushPull(isJoin: false, nodes: [PushPullNode(member: alive("d"), state: .alive)])
            if !hasCome { _ = engine.merge(list, from: address(of: "d"), weDialled: true, at: .zero) }
            // c answers until 5 s, and dies.
            _ = engine.run(to: milliseconds(5_000), respond: answering())
            if hasCome { _ = engine.merge(list, from: address(of: "d"), weDialled: true, at: milliseconds(5_500)) }
            let trace = engine.run(to: milliseconds(30_000), respond: answering(except: ["c"]))
            let failed = trace.first { $0.effect.isEvent { if case .memberFailed = $0 { true } else { false } } }
            #expect(
                failed.map { hasCome == ($0.at <= milliseconds(10_000)) } == true, "\(String(describing: failed?.at))")
        }
    }

    @Test("After a pause of its own a node waits for what lies unread, and accuses nobody")
    func ownPause() {
        var engine = MembershipEngine.joined(["b", "c"])
        var unanswered: [(body: PingBody, to: PeerAddress)] = []
        _ = engine.run(to: milliseconds(600)) { effect, _, _ in
            if case .send(.ping(let ping), let peer) = effect { unanswered.append((ping, peer)) }
            return []
        }
        #expect(!unanswered.isEmpty)
        // Stopped for 10 s with pings under way and a suspicion running.
        let resumed = milliseconds(10_600)
        let first = engine.advance(to: resumed)
        #expect(first.events.contains { if case .pauseNoticed = $0 { true } else { false } })
        #expect(first.broadcasts.isEmpty)
        for ping in unanswered {
            _ = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: resumed)
        }
        let trace = engine.run(to: milliseconds(14_000), respond: answering())
        #expect(!trace.contains { $0.effect.isEvent { if case .memberSuspected = $0 { true } else { false } } })
        #expect(engine.members.map(\.status) == [.alive, .alive, .alive])
    }

    @Test("An accuser that cannot reach the suspect asks its helpers, and who knows the refutation passes it on")
    func refutationThroughHelpers() throws {
        var accuser = MembershipEngine.joined(["b", "c", "d"])
        let trace = accuser.run(to: milliseconds(3_000), respond: answering(except: ["c"]))
        let own = accusation("c", from: "a")
        let asked = trace.compactMap { entry -> PeerAddress? in
            if case .send(.suspect(own), let peer) = entry.effect, peer != address(of: "c") { peer } else { nil }
        }
        #expect(Set(asked) == [address(of: "b"), address(of: "d")])

        var helper = MembershipEngine.joined(["b", "c", "d"])
        let question = accusation("c", from: "b")
        let before = helper.receive(.suspect(question), from: address(of: "d"), at: .zero)
        #expect(!before.contains { if case .send(.alive, _) = $0 { true } else { false } })
        var refutation = alive("c")
        refutation.incarnation = question.incarnation + 1
        _ = helper.receive(.alive(refutation), from: address(of: "c"), at: milliseconds(10))
        let answer = helper.receive(.suspect(question), from: address(of: "b"), at: milliseconds(20))
        #expect(answer == [.send(.alive(refutation), to: address(of: "b"))])
        #expect(helper.receive(.suspect(question), from: address(of: "d"), at: milliseconds(30)).isEmpty)
        var answers = 0
        for tick: UInt64 in 0..<100 {
            answers += helper.receive(.suspect(question), from: address(of: "b"), at: milliseconds(40 + tick)).count
        }
        #expect(answers == MembershipEngine.maxAnswersPerSecond - 1)
    }

    @Test("A pause holds running suspicions: the suspect has the rest of its time after it")
    func pauseDuringSuspicion() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.suspect(accusation("c", from: "b")), from: address(of: "b"), at: .zero)
        _ = engine.run(to: milliseconds(1_000), respond: answering())
        let resumed = milliseconds(9_000)
        #expect(engine.advance(to: resumed).broadcasts.isEmpty)
        _ = engine.run(to: milliseconds(10_400), respond: answering())
        #expect(engine.status(of: "c") == .suspect)
        _ = engine.run(to: milliseconds(11_600), respond: answering())
        #expect(engine.status(of: "c") == .failed)
    }

    @Test("Lateness up to the threshold moves nothing")
    func smallLateness() throws {
        var engine = MembershipEngine.joined(["b"])
        let first = try #require(engine.nextDeadline)
        let effects = engine.advance(to: first + .milliseconds(250))
        #expect(!effects.isEmpty, "what was due is done")
        #expect(engine.stats.pauses == 0)
        let next = try #require(engine.nextDeadline)
        _ = engine.advance(to: next + .milliseconds(251))
        #expect(engine.stats.pauses == 1)
    }

    @Test("Push/pulls with a random member come every 30 s, and the first ones soon after the start")
    func periodicPushPull() {
        var engine = MembershipEngine.joined(["b", "c"])
        let trace = engine.run(to: milliseconds(200_000), respond: answering())
        let times = trace.compactMap { if case .pushPull(_, isJoin: false) = $0.effect { $0.at } else { nil } }
        let distances = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(times.first.map { $0 <= milliseconds(1_000) } == true)
        for (index, distance) in distances.prefix(5).enumerated() {
            let longest = Duration.seconds(1) * (1 << index)
            #expect(distance >= longest / 2 && distance <= longest)
        }
        #expect(distances.count >= 9 && distances.dropFirst(5).allSatisfy { $0 == .seconds(30) })
    }

    @Test("Same seed and inputs, same effects")
    func repeatable() {
        func trace(_ seed: UInt64) -> [Effect] {
            var engine = MembershipEngine.joined(["b", "c", "d", "e", "f", "g", "h"], seed: seed)
            return engine.run(to: milliseconds(20_000), respond: answering(except: ["d"])).map(\.effect)
        }
        #expect(trace(4) == trace(4))
        #expect(trace(4) != trace(5))
    }

    @Test("A suspect that probes us is told, as often as answers are given; others are not")
    func suspectProbes() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.suspect(accusation("c", from: "b")), from: address(of: "b"), at: .zero)
        func told(_ name: String, _ number: UInt32) -> Bool {
            let ping = PingBody(sequence: number, node: "a", source: address(of: name), sourceNode: name)
            let effects = engine.receive(.ping(ping), from: address(of: name), at: .zero)
            return effects.contains(.send(.suspect(accusation("c", from: "a")), to: address(of: name)))
        }
        #expect(told("c", 1) && !told("b", 2))
        #expect((3...40).count { told("c", UInt32($0)) } == 15)
        _ = engine.receive(.alive(alive("c", incarnation: 2)), from: address(of: "c"), at: .zero)
        #expect(!told("c", 50))
    }

    @Test("Suspicions that start and end without pause leave no heap of timers")
    func timersAreBounded() {
        var engine = MembershipEngine.joined(["b", "c"])
        for round: UInt32 in 1...20_000 {
            let now = milliseconds(UInt64(round) / 20)
            _ = engine.receive(
                .suspect(accusation("c", incarnation: round, from: "b")), from: address(of: "b"), at: now)
            _ = engine.receive(.alive(alive("c", incarnation: round + 1)), from: address(of: "c"), at: now)
            if let due = engine.nextDeadline, due <= now { _ = engine.advance(to: now) }
        }
        #expect(engine.occupancy(of: "timers") < 20_000)
        _ = engine.run(to: milliseconds(2_000), respond: answering())
        #expect(engine.occupancy(of: "timers") < 2_000)
    }
}

extension Effect {
    var pingTarget: String? { if case .send(.ping(let ping), _) = self { ping.node } else { nil } }
    func isPing(to name: String?) -> Bool { pingTarget.map { name == nil || $0 == name } ?? false }
    func isEvent(_ matches: (MembershipEvent) -> Bool) -> Bool {
        if case .emit(let event) = self { matches(event) } else { false }
    }
}
