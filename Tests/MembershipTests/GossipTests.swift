import Membership
import Testing
import Transport

@Suite("Alive, suspect and dead")
struct GossipTests {
    @Test("News that a member lives at a higher incarnation is stored and passed on; the same again is not")
    func newerAlive() {
        var engine = MembershipEngine.joined(["b", "c"])
        let update = alive("b", incarnation: 2, tags: MemberTags(["http": "x"]))
        let effects = engine.receive(.alive(update), from: address(of: "c"), at: .zero)
        #expect(effects.broadcasts == [.alive(update)])
        #expect(effects.events.count == 1)
        #expect(engine.member(named: "b")?.tags.values["http"] == "x")
        #expect(engine.receive(.alive(update), from: address(of: "c"), at: .zero).isEmpty)
        #expect(engine.receive(.alive(alive("b", incarnation: 1)), from: address(of: "c"), at: .zero).isEmpty)
    }

    @Test("A suspicion is passed on, shown, and ends with an alive of a higher incarnation")
    func suspectAndRefuted() throws {
        var engine = MembershipEngine.joined(["b", "c"])
        let body = accusation("b", from: "c")
        let effects = engine.receive(.suspect(body), from: address(of: "c"), at: .zero)
        let member = try #require(engine.member(named: "b"))
        #expect(member.status == .suspect)
        #expect(effects == [.emit(.memberSuspected(member, by: "c")), .broadcast(.suspect(body), about: "b")])
        // The same incarnation proves nothing.
        #expect(engine.receive(.alive(alive("b")), from: address(of: "b"), at: .zero).isEmpty)
        let refuted = engine.receive(.alive(alive("b", incarnation: 2)), from: address(of: "b"), at: .zero)
        let after = try #require(engine.member(named: "b"))
        #expect(after.status == .alive)
        #expect(refuted == [.emit(.memberRefuted(after)), .broadcast(.alive(alive("b", incarnation: 2)), about: "b")])
    }

    @Test("Outdated accusations, and those of members that are not known, change nothing")
    func outdatedAccusations() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.alive(alive("b", incarnation: 5)), from: address(of: "b"), at: .zero)
        for message: MembershipMessage in [
            .suspect(accusation("b", incarnation: 4, from: "c")), .dead(accusation("b", incarnation: 4, from: "c")),
            .suspect(accusation("x", from: "c")), .dead(accusation("x", from: "c")),
        ] {
            // An accuser that missed the answer is told it; nobody else hears of it.
            let answer = MembershipEngine.Effect.send(.alive(alive("b", incarnation: 5)), to: address(of: "c"))
            let isSuspicionOfB = message == .suspect(accusation("b", incarnation: 4, from: "c"))
            #expect(engine.receive(message, from: address(of: "c"), at: .zero) == (isSuspicionOfB ? [answer] : []))
        }
        #expect(engine.status(of: "b") == .alive)
        #expect(engine.member(named: "x") == nil)
    }

    @Test("A declared failure is taken at once, passed on once, and undone by a higher incarnation only")
    func failedAndBack() throws {
        var engine = MembershipEngine.joined(["b", "c"])
        let body = accusation("b", from: "c")
        let effects = engine.receive(.dead(body), from: address(of: "c"), at: .zero)
        let member = try #require(engine.member(named: "b"))
        #expect(member.status == .failed)
        #expect(effects == [.emit(.memberFailed(member, by: "c")), .broadcast(.dead(body), about: "b")])
        #expect(engine.clusterSize == 2)
        #expect(engine.receive(.dead(body), from: address(of: "c"), at: .zero).isEmpty)
        #expect(engine.receive(.suspect(body), from: address(of: "c"), at: .zero).isEmpty)
        #expect(engine.receive(.alive(alive("b")), from: address(of: "b"), at: .zero).isEmpty)
        let back = engine.receive(.alive(alive("b", incarnation: 2)), from: address(of: "b"), at: .zero)
        #expect(back.events == [.memberJoined(try #require(engine.member(named: "b")))])
        #expect(engine.status(of: "b") == .alive)
        #expect(engine.clusterSize == 3)
    }

    @Test("A member that says itself that it is dead has left, and is forgotten after the retention")
    func left() {
        var engine = MembershipEngine.joined(["b", "c"])
        let effects = engine.receive(.dead(accusation("b", from: "b")), from: address(of: "b"), at: .zero)
        #expect(engine.status(of: "b") == .left)
        #expect(effects.broadcasts == [.dead(accusation("b", from: "b"))])
        _ = engine.run(to: milliseconds(29_900), respond: answering())
        #expect(engine.status(of: "b") == .left)
        _ = engine.run(to: milliseconds(36_000), respond: answering())
        #expect(engine.member(named: "b") == nil)
        #expect(engine.status(of: "c") == .alive)
    }

    @Test(
        "A node accused at its incarnation or above refutes one higher, to all and to the accuser", arguments: [1, 7])
    func refutation(accused: UInt32) {
        for message: MembershipMessage in [
            .suspect(accusation("a", incarnation: accused, from: "b")),
            .dead(accusation("a", incarnation: accused, from: "b")),
        ] {
            var engine = MembershipEngine.joined(["b", "c"])
            let effects = engine.receive(message, from: address(of: "b"), at: .zero)
            let refutation = alive("a", incarnation: accused + 1)
            #expect(
                effects == [
                    .emit(.localHealthChanged(1)), .emit(.selfRefuted(incarnation: accused + 1)),
                    .broadcast(.alive(refutation), about: "a"), .send(.alive(refutation), to: address(of: "b")),
                ])
            // The same again comes from one who has not heard the answer.
            #expect(
                engine.receive(message, from: address(of: "b"), at: .zero)
                    == [.send(.alive(refutation), to: address(of: "b"))])
        }
    }

    @Test("Outdated accusations against this node are answered, and only so many a second")
    func outdatedAccusationsOfOwn() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.suspect(accusation("a", incarnation: 4, from: "b")), from: address(of: "b"), at: .zero)
        let stale = MembershipMessage.suspect(accusation("a", incarnation: 2, from: "c"))
        for second: UInt64 in 0...1 {
            _ = engine.run(to: milliseconds(second * 1_000), respond: answering())
            let answers = (0..<100).flatMap { _ in
                engine.receive(stale, from: address(of: "c"), at: milliseconds(second * 1_000))
            }
            #expect(answers.count == MembershipEngine.maxAnswersPerSecond)
            #expect(
                answers.allSatisfy { $0 == .send(.alive(alive("a", incarnation: 5)), to: address(of: "c")) })
        }
        #expect(engine.incarnation == 5)
    }

    @Test("One forged message about this node at a far incarnation changes nothing, and real accusations are refuted")
    func forgedFarIncarnation() {
        let far: UInt32 = 1 << 30
        let step = MembershipEngine.maxIncarnationStep
        for claimed in [far, 2 + step] {
            for message: MembershipMessage in [
                .suspect(accusation("a", incarnation: claimed, from: "b")),
                .dead(accusation("a", incarnation: claimed, from: "b")),
                .alive(alive("a", incarnation: claimed)),
                .alive(alive("a", incarnation: claimed, at: address(99))),
            ] {
                var engine = MembershipEngine.joined(["b", "c"])
                #expect(engine.receive(message, from: address(of: "b"), at: .zero).isEmpty)
                #expect(engine.incarnation == 1)
                #expect(engine.stats.ignoredMessages == 1)
                let real = MembershipMessage.suspect(accusation("a", from: "c"))
                let answer = engine.receive(real, from: address(of: "c"), at: .zero).broadcasts
                var other = MembershipEngine(local: local("b"), joinedWith: [alive("a"), alive("c")], seed: 2)
                _ = other.receive(real, from: address(of: "c"), at: .zero)
                #expect(other.status(of: "a") == .suspect)
                for message in answer { _ = other.receive(message, from: address(of: "a"), at: .zero) }
                #expect(other.status(of: "a") == .alive)
            }
        }
        var engine = MembershipEngine.joined(["b"])
        let near = accusation("a", incarnation: 1 + step, from: "b")
        _ = engine.receive(.suspect(near), from: address(of: "b"), at: .zero)
        #expect(engine.incarnation == 2 + step)
    }

    @Test("Also just below the highest incarnation an accusation leaves room for its refutation; at it there are none")
    func highestIncarnation() {
        let highest = MembershipEngine.maxIncarnation
        for (known, isAccepted) in [(highest - 1, true), (highest, false)] {
            var other = MembershipEngine(
                local: local("b"), joinedWith: [alive("a", incarnation: known), alive("c")], seed: 2)
            let message = MembershipMessage.suspect(accusation("a", incarnation: known, from: "c"))
            _ = other.receive(message, from: address(of: "c"), at: .zero)
            #expect(other.status(of: "a") == (isAccepted ? .suspect : .alive))
            _ = other.receive(.alive(alive("a", incarnation: highest)), from: address(of: "a"), at: .zero)
            #expect(other.status(of: "a") == .alive)
        }
        // A node driven up step by step stops there, too.
        var engine = MembershipEngine.joined(["b"])
        for _ in 0..<2_100 {
            let accused = min(highest - 1, engine.incarnation + MembershipEngine.maxIncarnationStep)
            _ = engine.receive(
                .suspect(accusation("a", incarnation: accused, from: "b")), from: address(of: "b"), at: .zero)
        }
        #expect(engine.incarnation == highest)
        _ = engine.receive(
            .suspect(accusation("a", incarnation: highest, from: "b")), from: address(of: "b"), at: .zero)
        #expect(engine.incarnation == highest)
    }

    @Test("An older description of this node is refuted when its incarnation is not below ours")
    func refutesOldDescription() {
        var engine = MembershipEngine.joined(["b"])
        #expect(engine.receive(.alive(alive("a")), from: address(of: "b"), at: .zero).isEmpty)
        let moved = alive("a", incarnation: 4, at: address(99))
        let effects = engine.receive(.alive(moved), from: address(of: "b"), at: .zero)
        #expect(effects.broadcasts == [.alive(alive("a", incarnation: 5))])
        #expect(engine.receive(.alive(moved), from: address(of: "b"), at: .zero).isEmpty)
    }

    @Test("Incarnations out of bounds are ignored and never trap")
    func hugeIncarnations() {
        var engine = MembershipEngine.joined(["b", "c"])
        for incarnation: UInt32 in [.max, .max - 1, MembershipEngine.maxIncarnation + 1] {
            for name in ["a", "b", "x"] {
                _ = engine.receive(
                    .alive(alive(name, incarnation: incarnation, at: address(98))), from: address(of: "c"), at: .zero)
                _ = engine.receive(.alive(alive(name, incarnation: incarnation)), from: address(of: "c"), at: .zero)
                _ = engine.receive(
                    .suspect(accusation(name, incarnation: incarnation, from: "c")), from: address(of: "c"), at: .zero)
                _ = engine.receive(
                    .dead(accusation(name, incarnation: incarnation, from: "c")), from: address(of: "c"), at: .zero)
            }
        }
        #expect(engine.members.map(\.status) == [.alive, .alive, .alive])
        #expect(engine.members.map(\.incarnation) == [1, 1, 1])
        let step = MembershipEngine.maxIncarnationStep
        _ = engine.receive(.alive(alive("b", incarnation: 2 + step)), from: address(of: "b"), at: .zero)
        #expect(engine.member(named: "b")?.incarnation == 1)
        _ = engine.receive(.alive(alive("b", incarnation: 1 + step)), from: address(of: "b"), at: .zero)
        #expect(engine.member(named: "b")?.incarnation == 1 + step)
    }

    @Test(
        "Members that cannot be used are not taken",
        arguments: [
            AliveBody(incarnation: 1, node: "", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: String(repeating: "n", count: 129), address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "x\ny", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "x\u{1b}[2J", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "x\u{7f}", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "x\u{9b}", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "\u{e9}", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "e\u{301}", address: address(5), meta: nil),
            AliveBody(incarnation: 1, node: "x", address: PeerAddress(host: .v4(0), port: 1), meta: nil),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: Array(repeating: 0, count: 513)),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: nil, versions: [1, 5, 2]),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: nil, versions: [0, 0, 0, 2, 5, 5]),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: nil, versions: [3, 1, 2, 2, 5, 5]),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: nil, versions: [1, 5, 2, 2, 4, 4]),
            AliveBody(incarnation: 1, node: "x", address: address(5), meta: nil, versions: [3, 5, 3, 2, 5, 5]),
        ])
    func unusableMembers(body: AliveBody) {
        var engine = MembershipEngine.joined(["b"])
        #expect(engine.receive(.alive(body), from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.members.count == 2)
        #expect(engine.stats.ignoredMessages == 1)
    }

    @Test("Port 0 means our own port, and missing versions the current ones")
    func defaults() {
        var engine = MembershipEngine.joined(["b"])
        let body = AliveBody(incarnation: 1, node: "x", address: address(5).with(port: 0), meta: nil, versions: [])
        let effects = engine.receive(.alive(body), from: address(of: "b"), at: .zero)
        #expect(effects.pings.map(\.to) == [address(5)])
    }

    @Test("A leaving node tells all, refutes and accuses no more, and still answers pings")
    func leaving() {
        var engine = MembershipEngine.joined(["b", "c"])
        let farewell = MembershipMessage.dead(accusation("a", from: "a"))
        let effects = engine.leave(at: .zero)
        #expect(effects.broadcasts == [farewell])
        #expect(effects.sends.map(\.message) == [farewell, farewell])
        #expect(Set(effects.sends.map(\.to)) == [address(of: "b"), address(of: "c")])
        #expect(effects.events == [.leftCluster])
        #expect(engine.localMember.status == .leaving)
        #expect(engine.leave(at: .zero).isEmpty)
        #expect(engine.receive(farewell, from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.receive(.suspect(accusation("a", from: "b")), from: address(of: "b"), at: .zero).isEmpty)
        #expect(
            engine.receive(.suspect(accusation("a", incarnation: 0, from: "b")), from: address(of: "b"), at: .zero)
                .isEmpty)
        let ping = PingBody(sequence: 9, node: "a")
        #expect(
            engine.receive(.ping(ping), from: address(of: "b"), at: .zero)
                == [.send(.ack(AckBody(sequence: 9)), to: address(of: "b"))])
        let later = engine.run(to: milliseconds(60_000))
        #expect(later.isEmpty)
    }

    @Test("Accusations by or of names that nobody can have are ignored, also where Swift takes two names for the same")
    func unusableNamesInAccusations() {
        // The sign for kelvin is canonically equivalent to the letter.
        var engine = MembershipEngine(
            local: local("a"), joinedWith: [alive("K", at: address(50)), alive("c")], seed: 1)
        for (name, accuser) in [("\u{212a}", "c"), ("K", "c\nd")] {
            let body = accusation(name, from: accuser)
            #expect(engine.receive(.suspect(body), from: address(of: "c"), at: .zero).isEmpty)
            #expect(engine.receive(.dead(body), from: address(of: "c"), at: .zero).isEmpty)
        }
        #expect(engine.status(of: "K") == .alive)
    }

    @Test("A name, an address or tags that nobody can use are refused for this node itself")
    func unusableLocal() {
        #expect(throws: LocalMemberError.unusableName("")) {
            try LocalMember(name: "", nodeID: NodeID(1), address: address(1))
        }
        for name in ["a\nb", "a\u{1b}[2J", "\u{7f}", "\u{9b}", "\u{e9}", "e\u{301}"] {
            #expect(throws: LocalMemberError.unusableName(name)) {
                try LocalMember(name: name, nodeID: NodeID(1), address: address(1))
            }
        }
        let longTags = MemberTags(["http": String(repeating: "y", count: 600)])
        #expect(throws: LocalMemberError.self) {
            try LocalMember(name: "a", nodeID: NodeID(1), address: address(1), tags: longTags)
        }
        #expect(throws: LocalMemberError.unusableAddress(address(1).with(port: 0))) {
            try LocalMember(name: "a", nodeID: NodeID(1), address: address(1).with(port: 0))
        }
    }
}
