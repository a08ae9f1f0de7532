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
        #expect(engine.reportedConflictCount == MembershipEngine.maxReportedConflicts)
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
        let (effects, refusal) = engine.merge(list, from: address(of: "b"), weDialled: true, at: milliseconds(1))
        let conflict = NameConflict(
            name: "a", holder: .init(nodeID: nodeID(of: "a"), address: address(of: "a")),
            claimant: .init(nodeID: stranger, address: address(40)), isOwnName: true)
        #expect(refusal == .nameConflict(conflict))
        #expect(effects == [.emit(.nameConflict(conflict))])
        #expect(engine.members.count == 1)
        #expect(engine.incarnation == 1)
        let trace = engine.run(to: milliseconds(9_000)) { effect, engine, now in
            guard case .pushPull(let peer, _) = effect else { return [] }
            return engine.merge(list, from: peer, weDialled: true, at: now).effects
        }
        #expect(trace.count { if case .pushPull = $0.effect { true } else { false } } > 5)
        #expect(engine.members.count == 1)

        // The holder has failed: the name is ours, with a higher incarnation.
        let freed = PushPull(
            isJoin: true,
            nodes: [
                PushPullNode(member: alive("b"), state: .alive),
                PushPullNode(member: alive("a", incarnation: 6, id: stranger, at: address(40)), state: .dead),
            ])
        let joined = engine.merge(freed, from: address(of: "b"), weDialled: true, at: milliseconds(9_000))
        #expect(joined.refusal == nil)
        #expect(joined.effects.broadcasts.contains(.alive(alive("a", incarnation: 7))))
        #expect(joined.effects.pushPulls == [address(of: "b")])
        #expect(engine.status(of: "b") == .alive)
    }
}
