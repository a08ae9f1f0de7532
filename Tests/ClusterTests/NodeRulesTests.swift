import Membership
import Testing
import Transport

@testable import Cluster
@testable import Replication

@Suite("Rules that join the engines")
struct NodeRulesTests {
    @Test(
        "A node that finds nobody opens alone or as the first, and says whether it is synced",
        arguments: [
            (ExchangeError.refused, true), (.noAnswer, false),
        ])
    func start(error: ExchangeError, isSynced: Bool) throws {
        var node = try TestedCore()
        var pending = [try node.dialSeed()]
        var effects: [NodeCore.Effect] = []
        for _ in 0..<400 where !node.core.isReady {
            for id in pending { effects += node.feed(.exchange(id, .ended(error))) }
            let passed = node.pass(.milliseconds(50))
            pending = (effects + passed).dials.map(\.0)
            if !node.core.isReady { effects = passed }
        }
        #expect(node.core.isReady && node.core.replication.isSynced == isSynced)
    }

    @Test("While a batch of changes is being merged no further one is wanted")
    func intake() throws {
        var node = try TestedCore()
        #expect(node.core.wantedArrivals(on: .replication) == NodeCore.maxArrivals)
        let stamp = Stamp(time: HybridTime(milliseconds: 1), origin: NodeID(9))
        let row = EncodedRow(.created(key: "k", text: "t", atMilliseconds: 1, stamp: stamp))
        let message =
            ReplicationMessage.changesHeader(stream: StreamID(origin: NodeID(9), start: 1), sequence: 1) + row.bytes
        let arrival = Arrival(message: message, sender: otherAddress, delivery: .broadcast(reachedEveryone: true))
        node.feed(.arrived([arrival], on: .replication))
        let (token, rows) = try #require(node.effects.merges.first)
        #expect(rows == [row])
        #expect(node.core.wantedArrivals(on: .replication) == 0)
        node.feed(.merged(token, MergeOutcome(isNews: [true])))
        #expect(node.core.wantedArrivals(on: .replication) == NodeCore.maxArrivals)
    }

    @Test("Members are saved after a change, at most once a second")
    func saving() throws {
        var node = try TestedCore()
        let ids = node.dial([peerAddress, otherAddress])
        for (number, address) in [(UInt64(2), peerAddress), (3, otherAddress)] {
            let id = try #require(ids[address])
            node.feed(.exchange(id, .opened))
            node.feed(.exchange(id, .received(try TestedCore.state(of: number, at: address))))
            if number == 2 { check(node.pass(.zero).saves == 1) }
        }
        let soon = node.pass(.milliseconds(900))
        #expect(soon.saves == 0)
        check(node.pass(.milliseconds(100)).saves == 1)
    }

    @Test("Up to 64 members each change is told at once; beyond it the changes of 10 ms share one turn")
    func peerChanges() {
        var changes = PeerChanges()
        check(changes.note(peerCount: 64, at: .zero) && changes.deadline == nil)
        check(!changes.note(peerCount: 65, at: .zero))
        check(!changes.note(peerCount: 66, at: .zero + .milliseconds(9)))
        check(!changes.takeDue(at: .zero + .milliseconds(9)))
        check(changes.takeDue(at: .zero + .milliseconds(10)))
        check(!changes.takeDue(at: .zero + .milliseconds(20)) && changes.deadline == nil)
    }

    @Test("A message that is none is counted and named")
    func malformed() throws {
        var node = try TestedCore()
        node.feed(.arrived([Arrival(message: [0xee], sender: peerAddress, delivery: .unicast)], on: .membership))
        #expect(node.effects.events == [.malformed(from: peerAddress)])
        #expect(node.core.malformedMembershipMessages == 1)
    }

    @Test("A seed whose host is unknown is named")
    func unresolved() throws {
        var node = try TestedCore()
        node.feed(.begin(seeds: ["nowhere.invalid:1"], knownMembers: []))
        node.feed(.resolved("nowhere.invalid:1", []))
        #expect(node.effects.events.contains(.unresolved("nowhere.invalid:1")))
    }

    @Test(
        "A member that replicates in no version of this node, or says so that nobody understands it, gets no changes",
        arguments: [("1-1", true), (nil, true), ("2-9", false), ("2-3-x", false)])
    func versions(tag: String?, replicates: Bool) throws {
        var node = try TestedCore()
        let id = try node.dialSeed()
        node.feed(.exchange(id, .opened))
        var tags = MemberTags.node.values
        tags[MemberTags.Key.replication] = tag
        let other = try LocalMember(name: "node-2", nodeID: NodeID(2), address: peerAddress, tags: MemberTags(tags))
        let engine = MembershipEngine(local: other, seed: 2)
        node.feed(
            .exchange(id, .received(MemberlistCodec.encodeStream(.pushPull(engine.localState(isJoin: false))))))
        let peers = node.effects.peerLists.last
        #expect(peers == [Peer(address: peerAddress, channels: replicates ? .all : .membership)])
        #expect(node.core.replication.peers.isEmpty == !replicates)
    }

    @Test("What waited behind a long merge, or through a standstill, says nothing of clocks")
    func freshness() {
        var intake = ChangeIntake()
        func at(_ milliseconds: Int) -> EngineInstant { .zero + .milliseconds(milliseconds) }
        let token = ReplicationEngine.MergeToken(number: 1)
        intake.noteInput(at: at(10))
        check(intake.isFresh(count: 3, at: at(10)))
        intake.note([.merge(token, [])], at: at(10))
        intake.noteInput(at: at(800))
        intake.noteMerged(token, at: at(800))
        check(!intake.isFresh(count: 3, at: at(800)))
        check(intake.isFresh(count: 3, at: at(810)))
        // As many as one batch takes: more may be waiting.
        check(intake.isFresh(count: NodeCore.maxArrivals, at: at(900)))
        intake.noteInput(at: at(1_500))
        check(!intake.isFresh(count: 3, at: at(1_500)))
        check(intake.isFresh(count: 3, at: at(1_510)))
        intake.noteInput(at: at(9_000))
        check(!intake.isFresh(count: 3, at: at(9_000)))
        intake.noteInput(at: at(10_400))
        check(intake.isFresh(count: 3, at: at(10_600)))
        // The merge has long been over, and its batch was the last one that waited.
        intake.note([.merge(token, [])], at: at(10_600))
        intake.noteMerged(token, at: at(10_620))
        intake.noteInput(at: at(11_500))
        check(intake.isFresh(count: 3, at: at(11_500)))
        // The first message of an exchange.
        check(intake.isFresh(since: at(11_100), at: at(11_500)) && !intake.isFresh(since: at(10_900), at: at(11_500)))
    }

    @Test("The first message of either side of a walk tells what its sender's clock shows, unless it may have waited")
    func clocksOfWalks() throws {
        for (delay, isHeard) in [(100, true), (700, false)] {
            var node = try TestedCore()
            try node.join()
            let id = ExchangeID.accepted(1, on: .replication)
            node.feed(.accepted(id, from: peerAddress))
            _ = node.pass(.milliseconds(delay))
            let open = WalkMessage.Open(node: NodeID(2), wallMilliseconds: 5_000, summary: .empty, topSums: [])
            node.feed(.exchange(id, .received(WalkMessage.open(open).encoded())))
            let status = node.core.replication.peerStatus(wallMilliseconds: 4_000, at: node.now)
            #expect((status.first?.clockOffsetMilliseconds != nil) == isHeard)
        }
    }

    @Test(
        "A node that leaves alone says farewell at once, and warns where others may be cut off",
        arguments: [true, false])
    func leavesAlone(knowsAnother: Bool) throws {
        var node = try TestedCore()
        let known = [KnownMember(name: "b", nodeID: NodeID(9), address: otherAddress)]
        node.feed(.begin(seeds: [], knownMembers: knowsAnother ? known : []))
        node.feed(.leave)
        #expect(node.effects.contains { if case .farewellSaid = $0 { true } else { false } })
        #expect(node.effects.events.contains(.replication(.handedOver(knowsAnother ? .unsure : .alone))))
        #expect(node.feed(.leave).isEmpty)
    }

    @Test("A node that leaves asks its peer, and goes after a while though nobody answers")
    func leavesUnheard() throws {
        var node = try TestedCore()
        try node.join()
        node.summary = TreeSummary(root: 7, count: 3)
        node.feed(.leave)
        #expect(!node.effects.contains { if case .farewellSaid = $0 { true } else { false } })
        let start = node.now
        let effects = node.pass(.seconds(3))
        #expect(effects.contains { if case .farewellSaid = $0 { true } else { false } })
        #expect(effects.events.contains(.replication(.handedOver(.unsure))))
        #expect(effects.dials.contains { $0.0.channel == .replication && $0.1 == peerAddress } || node.now > start)
    }
}
