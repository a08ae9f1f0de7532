import Membership
import Testing
import Transport

@Suite("A node that is started again under another name")
struct RenameTests {
    private static let replica = MemberTags([MemberTags.Key.channels: "mr"])

    /// "a" with "b" and "c", when it has reached "new", which has the file of "b".
    private func renamed(at place: PeerAddress) -> (engine: MembershipEngine, events: [MembershipEvent]) {
        var engine = MembershipEngine(
            local: local("a"), joinedWith: ["b", "c"].map { alive($0, tags: Self.replica) }, seed: 1)
        let new = alive("new", id: nodeID(of: "b"), at: place, tags: Self.replica)
        let list = PushPull(isJoin: false, nodes: [PushPullNode(member: new, state: .alive)])
        let effects = engine.merge(list, from: place, weDialled: true, at: milliseconds(10))
        return (engine, effects.events)
    }

    @Test("takes the place of its old name at once where its address is the same")
    func sameAddress() {
        var (engine, events) = renamed(at: address(of: "b"))
        #expect(engine.members.map(\.name) == ["a", "c", "new"])
        #expect(engine.livingMembers.count == 2)
        #expect(events.contains { if case .memberForgotten(let member) = $0 { member.name == "b" } else { false } })
        // Others still speak of the old name for a while.
        let old = engine.receive(
            .alive(alive("b", incarnation: 2, tags: Self.replica)), from: address(of: "c"), at: milliseconds(20))
        #expect(old.pings.map(\.to) == [address(of: "b")])
        let trace = engine.run(to: milliseconds(60_000), respond: answering(except: ["b"]))
        #expect(engine.members.map(\.name) == ["a", "c", "new"])
        #expect(engine.failedMembers.isEmpty && engine.missedMembers.isEmpty && engine.stats.failures == 0)
        #expect(!trace.map(\.effect).events.contains { if case .memberFailed = $0 { true } else { false } })
    }

    @Test("takes the place of its old name at another address as soon as that does not answer, and nobody has failed")
    func moved() {
        var (engine, events) = renamed(at: address(40))
        #expect(!events.contains { if case .memberForgotten = $0 { true } else { false } })
        let trace = engine.run(to: milliseconds(10_000), respond: answering(except: ["b"]))
        #expect(engine.members.map(\.name) == ["a", "c", "new"])
        #expect(engine.failedMembers.isEmpty && engine.missedMembers.isEmpty && engine.stats.failures == 0)
        #expect(!trace.map(\.effect).events.contains { if case .memberFailed = $0 { true } else { false } })
    }

    @Test("stands beside its old name where that answers after it: that is a copy, and others are told so")
    func copied() {
        var (engine, _) = renamed(at: address(40))
        let trace = engine.run(to: milliseconds(3_000), respond: answering())
        #expect(engine.members.map(\.name) == ["a", "b", "c", "new"])
        let updates = trace.map(\.effect).events.compactMap { event -> String? in
            if case .memberUpdated(let member) = event { member.name } else { nil }
        }
        #expect(updates == ["b"])
    }

    @Test("is not told that its old name is another node")
    func ownOldName() {
        var engine = MembershipEngine.joined(["b"])
        let old = alive("old", id: nodeID(of: "a"), at: address(of: "a"))
        #expect(engine.receive(.alive(old), from: address(of: "b"), at: .zero).isEmpty)
        #expect(engine.members.map(\.name) == ["a", "b"])
    }

    @Test("is not missed under the name that it had in an earlier run", arguments: [true, false])
    func earlierRun(isMoved: Bool) {
        var engine = MembershipEngine.alone("a")
        let old = KnownMember(name: "b", nodeID: nodeID(of: "b"), address: address(of: "b"))
        _ = engine.join(seeds: [], knownMembers: [old], at: .zero)
        let place = isMoved ? address(40) : address(of: "b")
        let new = alive("new", id: nodeID(of: "b"), at: place)
        let list = PushPull(isJoin: true, nodes: [PushPullNode(member: new, state: .alive)])
        let effects = engine.merge(list, from: place.with(port: 50_000), weDialled: false, at: milliseconds(1))
        guard let ping = effects.pings.first else { return #expect(Bool(false), "not pinged") }
        _ = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: milliseconds(2))
        #expect(engine.member(named: "new")?.isConfirmed == true)
        #expect(engine.missedMembers.isEmpty)
    }
}
