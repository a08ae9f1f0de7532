import Membership
import Testing
import Transport

@Suite("Failed members that are remembered")
struct RememberedTests {
    private static let replica = MemberTags([MemberTags.Key.channels: "mr"])

    /// "a" among members of whom "b" has failed by "c"'s word.
    private func afterFailure(_ members: [AliveBody]) -> MembershipEngine {
        var configuration = MembershipConfiguration()
        configuration.failedRetention = .seconds(60)
        var engine = MembershipEngine(configuration: configuration, local: local("a"), joinedWith: members, seed: 1)
        _ = engine.receive(.dead(accusation("b", from: "c")), from: address(of: "c"), at: .zero)
        return engine
    }

    @Test("one that holds data is listed for ever, one that does not for as long as is set", arguments: [true, false])
    func retention(isReplica: Bool) {
        let tags = isReplica ? Self.replica : MemberTags()
        var engine = afterFailure([alive("b", tags: tags), alive("c", tags: tags)])
        _ = engine.run(to: milliseconds(600_000), respond: answering())
        #expect((engine.member(named: "b")?.status == .failed) == isReplica)
    }

    @Test("a node that comes with the id or at the address of a failed one takes its place", arguments: [true, false])
    func replaced(isRenamed: Bool) {
        var engine = afterFailure([alive("b", tags: Self.replica), alive("c", tags: Self.replica)])
        let new =
            isRenamed
            ? alive("new", id: nodeID(of: "b"), at: address(40), tags: Self.replica)
            : alive("new", id: NodeID(777), at: address(of: "b"), tags: Self.replica)
        let list = PushPull(isJoin: false, nodes: [PushPullNode(member: new, state: .alive)])
        let effects = engine.merge(list, from: new.address, weDialled: true, at: milliseconds(5_000))
        #expect(engine.member(named: "new")?.isConfirmed == true)
        #expect(engine.member(named: "b") == nil)
        #expect(effects.events.contains { if case .memberForgotten = $0 { true } else { false } })
    }
}
