import Membership
import Testing
import Transport

@Suite("Push/pull")
struct PushPullTests {
    func list(_ nodes: PushPullNode...) -> PushPull { PushPull(isJoin: false, nodes: nodes) }

    @Test("Our view has ourselves first, then every confirmed member with its state, and nobody known by hearsay")
    func localState() {
        var engine = MembershipEngine.joined(["b", "c", "d", "e"])
        _ = engine.receive(.suspect(accusation("c", from: "b")), from: address(of: "b"), at: .zero)
        _ = engine.receive(.dead(accusation("d", from: "b")), from: address(of: "b"), at: .zero)
        _ = engine.receive(.dead(accusation("e", from: "e")), from: address(of: "b"), at: .zero)
        _ = engine.receive(.alive(alive("x")), from: address(of: "b"), at: .zero)
        let state = engine.localState(isJoin: true)
        #expect(state.isJoin)
        #expect(state.nodes.map(\.member.node) == ["a", "b", "c", "d", "e"])
        #expect(state.nodes.map(\.state) == [.alive, .alive, .suspect, .dead, .left])
        #expect(state.nodes.allSatisfy { $0.member.versions == [1, 5, 2, 2, 5, 5] })
        let bytes = MemberlistCodec.encodeStream(.pushPull(state))
        #expect((try? MemberlistCodec.decodeStream(bytes)) == .pushPull(state))
    }

    @Test("Who answers our dial is confirmed by it and told to all; the others in its list are pinged first")
    func dialledPeer() throws {
        var engine = MembershipEngine.joined(["d"])
        let remote = list(
            PushPullNode(member: alive("b"), state: .alive), PushPullNode(member: alive("c"), state: .alive))
        let effects = engine.merge(remote, from: address(of: "b"), weDialled: true, at: .zero)
        #expect(engine.member(named: "b")?.isConfirmed == true)
        #expect(engine.member(named: "c")?.isConfirmed == false)
        #expect(effects.broadcasts == [.alive(alive("b"))])
        let ping = try #require(effects.pings.first { $0.body.node == "c" })
        let after = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(
            after == [
                .emit(.memberJoined(try #require(engine.member(named: "c")))),
                .broadcast(.alive(alive("c")), about: "c"),
            ])
        #expect(engine.clusterSize == 4)
    }

    @Test("The first list that a node gets is no news to those in it, a second one is, and so is what gossip brings")
    func firstList() throws {
        var engine = MembershipEngine.alone("a")
        func merge(_ names: String...) -> [MembershipEngine.Effect] {
            let nodes = names.map { PushPullNode(member: alive($0), state: .alive) }
            let remote = PushPull(isJoin: false, nodes: nodes)
            var effects = engine.merge(remote, from: address(of: names[0]), weDialled: true, at: .zero)
            for ping in effects.pings {
                effects += engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
            }
            return effects
        }
        #expect(merge("b", "c").broadcasts.isEmpty)
        #expect(engine.clusterSize == 3)
        #expect(merge("d", "e").broadcasts == [.alive(alive("d")), .alive(alive("e"))])
        let heard = engine.receive(.alive(alive("f")), from: address(of: "b"), at: .zero)
        let ping = try #require(heard.pings.first)
        let after = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(after.broadcasts == [.alive(alive("f"))])
    }

    @Test("Who joins through a node that still works through its first list hears of those in it")
    func joinedThroughNewcomer() throws {
        var engine = MembershipEngine.alone("a")
        let nodes = ["b", "c"].map { PushPullNode(member: alive($0), state: .alive) }
        let first = engine.merge(
            PushPull(isJoin: false, nodes: nodes), from: address(of: "b"), weDialled: true, at: .zero
        )
        let ping = try #require(first.pings.first { $0.body.node == "c" })
        _ = engine.merge(
            PushPull(isJoin: true, nodes: [PushPullNode(member: alive("n"), state: .alive)]),
            from: address(of: "n").with(port: 50_000), weDialled: false, at: .zero)
        let after = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(after.broadcasts == [.alive(alive("c"))])
    }

    @Test("In a cluster of 800 hearsay from strangers is pinged at the pace of a small one")
    func strangersInLargeCluster() {
        var engine = MembershipEngine.joined((0..<799).map { "m\($0)" })
        var pings = 0
        for index in 0..<100 {
            let effects = engine.receive(.alive(alive("n\(index)", at: address(500))), from: address(900), at: .zero)
            pings += effects.pings.count
        }
        #expect(pings == 8)
    }

    @Test("In a cluster of 800 a hundred members that were heard of are pinged at once, of two hundred the rest later")
    func largeCluster() {
        var engine = MembershipEngine.joined((0..<799).map { "m\($0)" })
        let nodes = (0..<200).map { PushPullNode(member: alive("n\($0)"), state: .alive) }
        let remote = PushPull(isJoin: false, nodes: nodes)
        let effects = engine.merge(remote, from: address(of: "m0"), weDialled: true, at: .zero)
        #expect(effects.pings.count == 100)
        #expect(
            engine.advance(to: .zero + .milliseconds(100)).pings.filter { $0.body.node.hasPrefix("n") }.count == 100)
    }

    @Test("Who dialled us is confirmed only by its answer to a ping")
    func accepted() throws {
        var engine = MembershipEngine.alone("a")
        let effects = engine.merge(
            list(PushPullNode(member: alive("b"), state: .alive)), from: address(of: "b").with(port: 50_000),
            weDialled: false, at: .zero
        )
        #expect(effects.broadcasts.isEmpty)
        #expect(engine.member(named: "b")?.isConfirmed == false)
        #expect(effects.pings.map(\.to) == [address(of: "b")])
    }

    @Test("Failed in a list means suspect here, never failed at once; left means left")
    func deadBecomesSuspect() {
        var engine = MembershipEngine.joined(["b", "c", "d", "e"])
        let effects = engine.merge(
            list(
                PushPullNode(member: alive("c"), state: .dead), PushPullNode(member: alive("d"), state: .suspect),
                PushPullNode(member: alive("e"), state: .left), PushPullNode(member: alive("y"), state: .dead)),
            from: address(of: "b"), weDialled: true, at: .zero
        )
        #expect(engine.members.map(\.status) == [.alive, .alive, .suspect, .suspect, .left])
        #expect(
            effects.broadcasts == [
                .suspect(accusation("c", from: "a")), .suspect(accusation("d", from: "a")),
                .dead(accusation("e", from: "e")),
            ])
    }

    @Test(
        "A restarted node finds itself failed or alive with an old incarnation, refutes, and makes sure that it is heard",
        arguments: [PushPullNode.State.dead, .suspect, .left, .alive])
    func restarted(state: PushPullNode.State) {
        var engine = MembershipEngine.alone("a")
        let old = alive("a", incarnation: 5, at: address(90))
        let effects = engine.merge(
            list(PushPullNode(member: alive("b"), state: .alive), PushPullNode(member: old, state: state)),
            from: address(of: "b"), weDialled: true, at: .zero)
        #expect(engine.stats.refusedPushPulls == 0)
        #expect(engine.incarnation == 6)
        #expect(effects.broadcasts.contains(.alive(alive("a", incarnation: 6))))
        #expect(effects.contains(.send(.alive(alive("a", incarnation: 6)), to: address(of: "b"))))
        #expect(effects.contains(.pushPull(with: address(of: "b"), isJoin: false)))
        // The second answer still has the old entry, which is outdated by now: no loop.
        let again = engine.merge(
            list(PushPullNode(member: old, state: state)), from: address(of: "b"), weDialled: true, at: .zero)
        #expect(again.isEmpty)
    }

    @Test("A stream that we dialled tells of members, and of our own past, at any incarnation; gossip does not")
    func highIncarnations() throws {
        let high = MembershipEngine.maxFirstIncarnation + 1
        var engine = MembershipEngine.alone("a")
        _ = engine.receive(.alive(alive("c", incarnation: high)), from: address(of: "b"), at: .zero)
        #expect(engine.members.count == 1)
        let remote = list(
            PushPullNode(member: alive("b", incarnation: high), state: .alive),
            PushPullNode(member: alive("c", incarnation: high), state: .alive),
            PushPullNode(member: alive("a", incarnation: high), state: .dead))
        _ = engine.merge(remote, from: address(of: "b").with(port: 50_000), weDialled: false, at: .zero)
        #expect(engine.stats.refusedPushPulls == 0)
        #expect(engine.members.count == 1 && engine.incarnation == 1)
        let effects = engine.merge(remote, from: address(of: "b"), weDialled: true, at: .zero)
        #expect(engine.member(named: "b")?.isConfirmed == true)
        #expect(engine.incarnation == high + 1)
        let ping = try #require(effects.pings.first { $0.body.node == "c" })
        _ = engine.receive(.ack(AckBody(sequence: ping.body.sequence)), from: ping.to, at: .zero)
        #expect(engine.member(named: "c")?.incarnation == high)
        #expect(engine.member(named: "c")?.isConfirmed == true)
    }

    @Test("A known member far ahead is believed when it says so itself on a stream that we dialled, and not otherwise")
    func ownWordOnStream() {
        var engine = MembershipEngine.joined(["b", "c"])
        _ = engine.receive(.dead(accusation("c", from: "b")), from: address(of: "b"), at: .zero)
        let far = list(PushPullNode(member: alive("c", incarnation: 1 << 30), state: .alive))
        _ = engine.merge(far, from: address(of: "b"), weDialled: true, at: .zero)
        _ = engine.merge(far, from: address(of: "c").with(port: 50_000), weDialled: false, at: .zero)
        #expect(engine.status(of: "c") == .failed)
        _ = engine.merge(far, from: address(of: "c"), weDialled: true, at: .zero)
        #expect(engine.status(of: "c") == .alive)
    }

    @Test(
        "One node with versions that do not fit refuses the whole list, also a failed one, also one without any",
        arguments: [[], [1, 5, 2, 2, 4, 4], [1, 1, 1, 2, 5, 5], [3, 5, 3, 2, 5, 5]] as [[UInt8]])
    func versions(versions: [UInt8]) {
        for state: PushPullNode.State in [.alive, .dead, .left] {
            var engine = MembershipEngine.alone("a")
            var odd = alive("z")
            odd.versions = versions
            let effects = engine.merge(
                list(PushPullNode(member: alive("b"), state: .alive), PushPullNode(member: odd, state: state)),
                from: address(of: "b"), weDialled: true, at: .zero)
            #expect(engine.stats.refusedPushPulls == 1)
            #expect(effects.isEmpty)
            #expect(engine.members.count == 1)
        }
    }

    @Test("A node whose versions have a length that crashes agents is left out, and keeps nobody from joining")
    func shortVersions() {
        var engine = MembershipEngine.alone("a")
        var odd = alive("z")
        odd.versions = [1, 5, 2]
        _ = engine.merge(
            list(PushPullNode(member: odd, state: .alive), PushPullNode(member: alive("b"), state: .alive)),
            from: address(of: "b"), weDialled: true, at: .zero)
        #expect(engine.stats.refusedPushPulls == 0)
        #expect(engine.members.map(\.name) == ["a", "b"])
    }

    @Test("A leaving node merges nothing")
    func leaving() {
        var engine = MembershipEngine.alone("a")
        _ = engine.leave(at: .zero)
        _ = engine.merge(
            list(PushPullNode(member: alive("b"), state: .alive)), from: address(of: "b"), weDialled: true, at: .zero)
        #expect(engine.stats.refusedPushPulls == 1)
        #expect(engine.members.count == 1)
        #expect(engine.localState(isJoin: false).nodes.map(\.state) == [.left])
    }
}
