import Testing
import TestSupport
import Transport

@testable import Replication

@Suite("What a donor's answer covers of each stream")
struct DonorHeadsTests {
    @Test(
        "what was sent between the donor's answer and the first heartbeat is pulled, and nothing else",
        arguments: [60, 100, 140])
    func pullsFromThere(donorHead: UInt64) {
        var engine = syncing(peers: [2, 3], heads: [3: 100])
        engine.engine.walkAccepted(by: NodeID(2), [own(2, 7), own(3, donorHead)], at: milliseconds(10))
        _ = engine.walkFinished(with: NodeID(2), Self.whole, at: milliseconds(20))
        let wanted: [ClosedRange<UInt64>] = donorHead < 100 ? [61...100] : []
        #expect(pulls(run(&engine, to: milliseconds(110)), of: 3) == wanted)
        // What the answer covers and the origin tells later is no hole.
        _ = engine.receive([heartbeat(from: 3, head: 140)], at: milliseconds(120))
        #expect(engine.openGapCount == (donorHead == 140 ? 0 : 1))
    }

    @Test("a stream that is heard of only later is followed from where the answer ends")
    func heardLater() {
        var engine = syncing(peers: [2], heads: [:])
        engine.engine.walkAccepted(by: NodeID(2), [own(2, 7), own(3, 60)], at: milliseconds(10))
        _ = engine.walkFinished(with: NodeID(2), Self.whole, at: milliseconds(20))
        _ = engine.setPeers([peer(2), peer(3)], at: milliseconds(30))
        _ = engine.receive([heartbeat(from: 3, head: 70)], at: milliseconds(40))
        #expect(pulls(run(&engine, to: milliseconds(150)), of: 3) == [61...70])
    }

    @Test("what a donor that dies has told counts no more, and a stream that it does not know is a hole")
    func diesOrDoesNotKnow() {
        var engine = syncing(peers: [2, 3, 4], heads: [3: 100, 4: 5])
        engine.engine.walkAccepted(by: NodeID(2), [own(2, 7), own(3, 200)], at: milliseconds(10))
        #expect(pulls(run(&engine, to: milliseconds(100)), of: 4) == [1...5])
        _ = engine.walkFailed(with: NodeID(2), .exchange(.closed), at: milliseconds(110))
        _ = engine.receive([heartbeat(from: 3, head: 150)], at: milliseconds(120))
        #expect(engine.openGapCount == 2)
    }

    @Test("no head that others tell of moves a window beyond what its origin has told")
    func bounded() {
        var engine = syncing(peers: [2, 3], heads: [3: 100])
        let huge = own(3, .max)
        engine.engine.walkAccepted(by: NodeID(2), [own(2, 7), huge, huge], at: milliseconds(10))
        _ = engine.walkFinished(with: NodeID(2), Self.whole, at: milliseconds(20))
        #expect(engine.streams[NodeID(3)]?.window.end == 100 && engine.streams[NodeID(3)]?.window.head == 100)
        let arrival = Arrival(
            message: changes(from: 3, sequence: 101, rows: [row("k")]), sender: address(3), delivery: .unicast)
        let merges = engine.receive([arrival], at: milliseconds(30))
        #expect(merges.contains { if case .merge = $0 { true } else { false } })
    }

    @Test("numbers that came before the answer are not asked for again", arguments: [0, 5, 5_000])
    func arrived(count: UInt64) {
        var window = StreamWindow(head: 10)
        for sequence in 0..<count { _ = window.insert(11 + sequence) }
        window.reopen(from: 7, opened: 10)
        #expect(window.missing(limit: 64) == (count > 4_096 ? nil : [8...10]))
        #expect(window.hasGap)
    }

    @Test("more heads than a node can follow are refused")
    func tooMany() throws {
        let heads = (0..<UInt64(WalkMessage.maxHeads)).map { own($0, $0) }
        let message = WalkMessage.accepted(wallMilliseconds: 3, heads: heads)
        #expect(try WalkMessage.decode(message.encoded()) == message)
        let more = message.encoded() + message.encoded().suffix(24)
        #expect(throws: WalkMessage.Failure.malformed) { _ = try WalkMessage.decode(more) }
    }

    @Test("a node tells of what is in its store, and of nothing that is still being merged")
    func told() {
        var engine = TestedEngine(nodeID: NodeID(1))
        _ = engine.open(isSynced: true, at: .zero)
        _ = engine.setPeers([peer(2), peer(3)], at: .zero)
        _ = engine.committed([row("own")], at: .zero)
        var tokens: [ReplicationEngine.MergeToken] = []
        for sequence in 1...3 as ClosedRange<UInt64> {
            let arrival = Arrival(
                message: changes(from: 2, sequence: sequence, rows: [row("k")]), sender: address(2), delivery: .unicast)
            for case .merge(let token, _) in engine.receive([arrival], at: .zero) { tokens.append(token) }
        }
        _ = engine.merged(tokens[0], MergeOutcome(isNews: [true]), at: .zero)
        #expect(engine.engine.storedHeads(for: NodeID(3), at: .zero) == [own(1, 1), own(2, 1)])
    }

    private static var whole: WalkOutcome {
        var outcome = WalkOutcome()
        outcome.isPeerSynced = true
        return outcome
    }

    /// Node 1, whose first sync walks with node 2; `heads`: what others have told of themselves.
    private func syncing(peers: [UInt64], heads: [UInt64: UInt64]) -> TestedEngine {
        var engine = TestedEngine(nodeID: NodeID(1))
        _ = engine.setPeers(peers.map(peer), at: .zero)
        for node in peers where node != 2 {
            _ = engine.receive([heartbeat(from: node, head: heads[node] ?? 0, isSynced: false)], at: .zero)
        }
        _ = engine.receive([heartbeat(from: 2, head: 7)], at: .zero)
        let effects = engine.beginFirstSync(at: .zero)
        #expect(effects.filter(isWalk) == [.walk(peer(2))])
        return engine
    }

    private func own(_ node: UInt64, _ head: UInt64) -> ReplicationMessage.StreamHead {
        .init(stream: StreamID(origin: NodeID(node), start: 1), head: head)
    }

    private func heartbeat(from node: UInt64, head: UInt64, isSynced: Bool = true) -> Arrival {
        let message = ReplicationMessage.encode(
            .init(
                stream: StreamID(origin: NodeID(node), start: 1), head: head, summary: TreeSummary(root: 9, count: 1),
                isReady: true, isSynced: isSynced))
        return Arrival(message: message, sender: address(node), delivery: .broadcast(reachedEveryone: true))
    }

    private func run(_ engine: inout TestedEngine, to end: EngineInstant) -> [ReplicationEngine.Effect] {
        var effects: [ReplicationEngine.Effect] = []
        while engine.nextDeadline <= end { effects += engine.advance(to: engine.nextDeadline) }
        return effects
    }

    private func pulls(_ effects: [ReplicationEngine.Effect], of node: UInt64) -> [ClosedRange<UInt64>] {
        effects.flatMap { effect -> [ClosedRange<UInt64>] in
            guard case .send(let message, let to) = effect, to == address(node),
                case .pull(let pull)? = try? ReplicationMessage.decode(message[...])
            else { return [] }
            return pull.ranges
        }
    }
}
