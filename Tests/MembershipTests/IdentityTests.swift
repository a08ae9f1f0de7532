import Membership
import Testing
import Transport

@Suite("Identity: the name, and the origin behind it")
struct IdentityTests {
    let stranger = NodeID(999)

    @Test("The same origin takes over a new address at once, by the ordinary rule of incarnations")
    func sameOriginMoves() throws {
        var engine = MembershipEngine.joined(["b", "c"])
        #expect(engine.receive(.alive(alive("b", at: address(40))), from: address(40), at: .zero).isEmpty)
        let moved = alive("b", incarnation: 2, at: address(40))
        let effects = engine.receive(.alive(moved), from: address(40), at: .zero)
        let member = try #require(engine.member(named: "b"))
        #expect(member.address == address(40))
        #expect(effects == [.emit(.memberUpdated(member)), .broadcast(.alive(moved), about: "b")])
    }

    @Test("Another origin at another address is refused while the holder lives, reported once per claimant")
    func otherOriginRefused() {
        var engine = MembershipEngine.joined(["b", "c"])
        let claim = alive("b", incarnation: 50, id: stranger, at: address(40))
        let conflict = NameConflict(
            name: "b", holder: .init(nodeID: nodeID(of: "b"), address: address(of: "b")),
            claimant: .init(nodeID: stranger, address: address(40)), isOwnName: false)
        #expect(engine.receive(.alive(claim), from: address(40), at: .zero) == [.emit(.nameConflict(conflict))])
        #expect(engine.receive(.alive(claim), from: address(40), at: .zero).isEmpty)
        #expect(engine.member(named: "b")?.nodeID == nodeID(of: "b"))
        // Suspected is not gone.
        _ = engine.receive(.suspect(accusation("b", from: "c")), from: address(of: "c"), at: .zero)
        #expect(engine.receive(.alive(claim), from: address(40), at: .zero).isEmpty)
        #expect(engine.member(named: "b")?.address == address(of: "b"))
    }

    @Test("A member of which no origin is known keeps its name against any other address")
    func foreignMembers() {
        var engine = MembershipEngine.joined(["b"])
        let foreign = AliveBody(incarnation: 1, node: "serf", address: address(60), meta: [0xff, 0x80])
        let ping = engine.receive(.alive(foreign), from: address(of: "b"), at: .zero).pings[0]
        _ = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        var other = foreign
        other.address = address(61)
        other.incarnation = 9
        #expect(engine.receive(.alive(other), from: address(of: "b"), at: .zero).events.count == 1)
        #expect(engine.member(named: "serf")?.address == address(60))
    }

    @Test("Remembered claimants are bounded")
    func claimantsBounded() {
        var engine = MembershipEngine.joined(["b"])
        for number in 100..<400 {
            let claim = alive("b", id: NodeID(UInt64(number)), at: address(UInt32(number)))
            #expect(engine.receive(.alive(claim), from: address(of: "b"), at: .zero).events.count == 1)
        }
        #expect(engine.occupancy(of: "reported conflicts") == MembershipEngine.maxReportedConflicts)
    }

    @Test(
        "Another origin takes the name over when the holder has failed or left, whatever the incarnation",
        arguments: ["c", "b"])
    func takeOver(accuser: String) throws {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.alive(alive("b", incarnation: 9)), from: address(of: "b"), at: .zero)
        _ = engine.receive(.dead(accusation("b", incarnation: 9, from: accuser)), from: address(of: "c"), at: .zero)
        let claim = alive("b", incarnation: 1, id: stranger, at: address(40))
        // Not on the word of just anybody.
        #expect(engine.receive(.alive(claim), from: address(40), at: .zero).isEmpty)
        let ping = try #require(engine.receive(.alive(claim), from: address(of: "c"), at: .zero).pings.first)
        let effects = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(effects.broadcasts == [.alive(claim)])
        #expect(engine.member(named: "b")?.nodeID == stranger)
        #expect(engine.status(of: "b") == .alive)
    }

    @Test("A new origin at the same address is the same endpoint: ordinary incarnation rules")
    func newDatabaseSameAddress() {
        var engine = MembershipEngine.joined(["b", "c"])
        let reborn = alive("b", incarnation: 2, id: stranger)
        #expect(engine.receive(.alive(reborn), from: address(of: "b"), at: .zero).broadcasts == [.alive(reborn)])
        #expect(engine.member(named: "b")?.nodeID == stranger)
    }

    @Test("Gossip that gives our name to another origin elsewhere is reported, never refuted")
    func ownNameClaimed() {
        var engine = MembershipEngine.joined(["b"])
        let claim = alive("a", incarnation: 70, id: stranger, at: address(40))
        let effects = engine.receive(.alive(claim), from: address(of: "b"), at: .zero)
        #expect(effects.broadcasts.isEmpty && effects.sends.isEmpty)
        #expect(effects.events.count == 1)
        #expect(engine.incarnation == 1)
        #expect(engine.receive(.alive(claim), from: address(of: "b"), at: .zero).isEmpty)
    }

    @Test("A restart on a new address answers the old address at once, and reports nothing")
    func restartOnNewAddress() {
        var engine = MembershipEngine.alone("a")
        let old = PushPullNode(member: alive("a", incarnation: 5, at: address(90)), state: .alive)
        let effects = engine.merge(
            PushPull(isJoin: true, nodes: [PushPullNode(member: alive("b"), state: .alive), old]),
            from: address(of: "b"), weDialled: true, at: .zero
        )
        #expect(effects.broadcasts.contains(.alive(alive("a", incarnation: 6))))
        // What is left of the old one in gossip.
        for incarnation: UInt32 in [4, 5] {
            let stale = alive("a", incarnation: incarnation, at: address(90))
            #expect(engine.receive(.alive(stale), from: address(of: "b"), at: milliseconds(10)).isEmpty)
        }
    }

    @Test("Two running copies of one node report it, and answer each other once a second at most")
    func copiedDirectory() {
        let other = address(90)
        var copies = [
            MembershipEngine.joined(["b"]),
            MembershipEngine(local: local("a", at: other), joinedWith: [alive("b")], seed: 2),
        ]
        let places = [address(of: "a"), other]
        var conflicts = [0, 0]
        var alives = 0
        var queue = [(to: 0, body: alive("a", incarnation: 2, at: other))]
        for step: UInt64 in 0...10_000 {
            let now = milliseconds(step)
            let arrived = queue
            queue = []
            for index in 0...1 {
                var effects: [Effect] = arrived.filter { $0.to == index }.flatMap {
                    copies[index].receive(.alive($0.body), from: address(of: "b"), at: now)
                }
                effects += copies[index].advance(to: now)
                for case .ping(let ping) in effects.sends.map(\.message) where ping.node == "b" {
                    effects += copies[index].receive(
                        .ack(AckBody(sequence: ping.sequence)), from: address(of: "b"), at: now)
                }
                for case .alive(let body) in effects.broadcasts where body.node == "a" {
                    #expect(body.address == places[index])
                    alives += 1
                    queue.append((1 - index, body))
                }
                for case .nameConflict(let conflict) in effects.events {
                    conflicts[index] += 1
                    #expect(conflict.isOwnName)
                    #expect(conflict.claimant == .init(nodeID: nodeID(of: "a"), address: places[1 - index]))
                }
            }
        }
        #expect(conflicts == [1, 1])
        #expect((10...24).contains(alives), "\(alives)")
    }

    @Test("A node whose name another holds stays alone, takes nothing of the list, and keeps trying")
    func ownNameHeld() throws {
        var engine = MembershipEngine.alone("a")
        #expect(engine.join(seeds: ["10.0.0.2:7946"], at: .zero).pushPulls == [address(of: "b")])
        let list = PushPull(
            isJoin: true,
            nodes: [
                PushPullNode(member: alive("b"), state: .alive),
                PushPullNode(member: alive("a", id: stranger, at: address(40)), state: .alive),
            ])
        let effects = engine.merge(list, from: address(of: "b"), weDialled: true, at: milliseconds(1))
        let conflict = NameConflict(
            name: "a", holder: .init(nodeID: nodeID(of: "a"), address: address(of: "a")),
            claimant: .init(nodeID: stranger, address: address(40)), isOwnName: true)
        #expect(engine.stats.refusedPushPulls == 1)
        #expect(effects == [.emit(.nameConflict(conflict)), .emit(.everyoneAsked)])
        #expect(engine.members.count == 1)
        #expect(engine.incarnation == 1)
        let trace = engine.run(to: milliseconds(9_000)) { effect, engine, now in
            guard case .pushPull(let peer, _) = effect else { return [] }
            return engine.merge(list, from: peer, weDialled: true, at: now)
        }
        #expect(trace.count { if case .pushPull = $0.effect { true } else { false } } > 5)
        #expect(engine.members.count == 1)

        let refusedCount = engine.stats.refusedPushPulls
        // The holder has failed: the name is ours, with a higher incarnation.
        let freed = PushPull(
            isJoin: true,
            nodes: [
                PushPullNode(member: alive("b"), state: .alive),
                PushPullNode(member: alive("a", incarnation: 6, id: stranger, at: address(40)), state: .dead),
            ])
        let joined = engine.merge(freed, from: address(of: "b"), weDialled: true, at: milliseconds(9_000))
        #expect(engine.stats.refusedPushPulls == refusedCount)
        #expect(joined.broadcasts.contains(.alive(alive("a", incarnation: 7))))
        #expect(joined.pushPulls == [address(of: "b")])
        #expect(engine.status(of: "b") == .alive)
    }
}
