@testable import Replication
import TestSupport
import Testing
import Transport

@Suite("Heads of others in heartbeats")
struct HeadsTests {
    @Test("what moved within two heartbeats is told, for as long and no longer")
    func told() throws {
        var engine = engine()
        #expect(try beat(&engine, at: .zero) == [])
        mergeAll(
            of: engine.receive([arrival(changes(from: 2, sequence: 1, rows: [row("k")]))], at: milliseconds(100)),
            &engine)
        #expect(try beat(&engine, at: milliseconds(1_000)) == [head(2, 1)])
        _ = engine.receive([arrival(changes(from: 2, sequence: 1, rows: [row("k")]))], at: milliseconds(1_900))
        #expect(try beat(&engine, at: milliseconds(2_000)) == [head(2, 1)])
        #expect(try beat(&engine, at: milliseconds(2_100)) == [], "a duplicate is no news")
    }

    @Test("what its sender gave to everyone is told too, eight heads at most: somebody may be cut off from the sender")
    func direct() throws {
        var engine = engine(peerCount: 20)
        for node: UInt64 in 2...21 {
            let message = changes(from: node, sequence: 1, rows: [row("k")])
            let arrival = Arrival(message: message, sender: address(node), delivery: .broadcast(reachedEveryone: true))
            mergeAll(of: engine.receive([arrival], at: .zero), &engine)
            if node == 2 { #expect(try beat(&engine, at: milliseconds(10)) == [head(2, 1)]) }
        }
        #expect(try beat(&engine, at: milliseconds(20)).count == 8)
    }

    @Test("told is what is in the store: equal roots then prove that everything up to there is here")
    func unmerged() throws {
        var engine = engine()
        let first = engine.receive([arrival(changes(from: 2, sequence: 1, rows: [row("k")]))], at: .zero)
        mergeAll(of: first, &engine)
        let second = engine.receive([arrival(changes(from: 2, sequence: 2, rows: [row("l")]))], at: .zero)
        #expect(try beat(&engine, at: milliseconds(10)) == [head(2, 1)])
        mergeAll(of: second, &engine)
        #expect(try beat(&engine, at: milliseconds(20)) == [head(2, 2)])
    }

    @Test("who does not hear a writer asks one of those who do, at once, and one at a time")
    func asked() {
        var engine = engine(peerCount: 4)
        for node: UInt64 in 2...5 { _ = engine.receive([heartbeat(from: node)], at: .zero) }
        for node: UInt64 in 3...5 {
            _ = engine.receive([heartbeat(from: node, telling: [head(2, 1)], count: 1)], at: milliseconds(10))
        }
        #expect(walks(&engine, until: milliseconds(280)) == [])
        let first = walks(&engine, until: milliseconds(300))
        #expect(first.count == 1)
        // It is busy: the next is asked.
        for node in first { _ = engine.walkFailed(with: node, .refused(.busy), at: milliseconds(310)) }
        let second = walks(&engine, until: milliseconds(400))
        #expect(second.count == 1 && second != first)
        for node in second { _ = engine.walkFinished(with: node, WalkOutcome(), at: milliseconds(410)) }
        #expect(walks(&engine, until: milliseconds(900)) == [], "nobody else is asked for the same")
    }

    @Test("what comes meanwhile, and what equal roots show to be here, is not asked for")
    func notAsked() {
        var engine = engine()
        for node: UInt64 in 2...4 { _ = engine.receive([heartbeat(from: node)], at: .zero) }
        _ = engine.receive([heartbeat(from: 3, telling: [head(2, 1)])], at: milliseconds(10))
        _ = engine.receive([heartbeat(from: 4, telling: [head(2, 1)], count: 1)], at: milliseconds(10))
        let late = engine.receive([arrival(changes(from: 2, sequence: 1, rows: [row("k")]))], at: milliseconds(200))
        mergeAll(of: late, &engine)
        #expect(walks(&engine, until: milliseconds(900)) == [])
    }

    @Test(
        "who missed a change of one peer learns of it from another and asks the writer; it tells what it has, not what it heard"
    )
    func learnt() throws {
        var engine = engine()
        _ = engine.receive([heartbeat(from: 2)], at: .zero)
        _ = engine.receive([heartbeat(from: 3, telling: [head(2, 1)])], at: milliseconds(10))
        #expect(engine.streams[NodeID(2)]?.hasGap == true)
        let effects = engine.advance(to: milliseconds(90))
        #expect(effects.contains { if case .send(_, address(2)) = $0 { true } else { false } })
        #expect(try beat(&engine, at: milliseconds(100)) == [])
        mergeAll(
            of: engine.receive([arrival(changes(from: 2, sequence: 1, rows: [row("k")]))], at: milliseconds(110)),
            &engine)
        #expect(engine.streams[NodeID(2)]?.hasGap == false)
        #expect(try beat(&engine, at: milliseconds(120)) == [head(2, 1)])
    }

    @Test("a head of nobody, of this node, of another start or of the past changes nothing")
    func ignored() throws {
        var engine = engine()
        _ = engine.receive([heartbeat(from: 2, head: 5)], at: .zero)
        let before = engine.streams
        let told = [head(2, 5), head(2, 0), head(2, .max, start: 2), head(1, 9), head(9, 9), head(3, 9)]
        _ = engine.receive([heartbeat(from: 4, telling: told)], at: milliseconds(10))
        for node: UInt64 in [1, 2, 3, 9] { #expect(engine.streams[NodeID(node)] == before[NodeID(node)]) }
    }

    @Test(
        "a head that was invented leads to two pulls and nothing else, and what the writer sends then arrives as ever")
    func invented() {
        var engine = engine()
        _ = engine.receive([heartbeat(from: 2, head: 5)], at: .zero)
        for told: UInt64 in [.max, 5 + 65] {
            _ = engine.receive([heartbeat(from: 4, telling: [head(2, told)])], at: .zero)
            #expect(engine.streams[NodeID(2)]?.hasGap == false)
        }
        _ = engine.receive([heartbeat(from: 4, telling: [head(2, 5 + 64)])], at: .zero)
        var effects: [ReplicationEngine.Effect] = []
        while engine.nextDeadline <= milliseconds(5_000) { effects += engine.advance(to: engine.nextDeadline) }
        #expect(engine.stats.sentPulls == 2 && !effects.contains(where: isWalk))
        #expect(engine.streams[NodeID(2)]?.hasGap == false)
        let next = changes(from: 2, sequence: 6, rows: [row("k")])
        #expect(
            engine.receive([arrival(next)], at: milliseconds(5_000)).contains {
                if case .merge = $0 { true } else { false }
            })
    }

    @Test("of many that moved a heartbeat tells 32, others each time, and fits into a message")
    func bounded() throws {
        var engine = engine(peerCount: 400)
        for node: UInt64 in 2...401 {
            _ = engine.receive([arrival(changes(from: node, sequence: 1, rows: [row("k")]))], at: .zero)
        }
        var seen: Set<UInt64> = []
        for beatNumber in 1...5 {
            let told = try beat(&engine, at: milliseconds(beatNumber * 10))
            #expect(told.count == 32)
            seen.formUnion(told.map(\.stream.origin.rawValue))
        }
        #expect(seen.count > 100)
        guard case .heartbeat(let heartbeat, let version) = engine.heartbeat(at: milliseconds(60)) else {
            Issue.record("no heartbeat")
            return
        }
        let message = ReplicationMessage.encode(heartbeat, version: version)
        #expect(message.count <= ReplicationConfiguration().maxMessageBytes)
    }

    @Test("a heartbeat with half a head is malformed")
    func torn() {
        let whole = heartbeat(from: 2, telling: [head(3, 1)]).message
        for length in (whole.count - 23)..<whole.count {
            #expect(throws: ReplicationMessage.Failure.malformed) {
                _ = try ReplicationMessage.decode(whole[..<length])
            }
        }
    }

    // MARK: - Helpers

    private func engine(peerCount: UInt64 = 3) -> TestedEngine {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.setPeers((2...(peerCount + 1)).map(peer), at: .zero)
        _ = engine.open(isSynced: true, at: .zero)
        return engine
    }

    /// What the engine's heartbeat at `now` tells of others.
    private func beat(_ engine: inout TestedEngine, at now: EngineInstant) throws -> [ReplicationMessage
        .StreamHead]
    {
        guard case .heartbeat(let heartbeat, _) = engine.heartbeat(at: now)
        else {
            Issue.record("no heartbeat")
            return []
        }
        return heartbeat.others
    }

    private func head(_ node: UInt64, _ head: UInt64, start: UInt64 = 1) -> ReplicationMessage.StreamHead {
        .init(stream: StreamID(origin: NodeID(node), start: start), head: head)
    }

    /// `count`: of rows, which makes a root that is not this node's.
    private func heartbeat(
        from node: UInt64, head: UInt64 = 0, telling others: [ReplicationMessage.StreamHead] = [], count: UInt64 = 0
    ) -> Arrival {
        arrival(
            ReplicationMessage.encode(
                .init(
                    stream: StreamID(origin: NodeID(node), start: 1), head: head,
                    summary: TreeSummary(root: UInt128(count), count: count), isReady: true,
                    isSynced: true, others: others)))
    }

    private func mergeAll(of effects: [ReplicationEngine.Effect], _ engine: inout TestedEngine) {
        for case .merge(let token, let rows) in effects {
            _ = engine.merged(token, MergeOutcome(isNews: rows.map { _ in true }), at: .zero)
        }
    }

    /// Whom the engine walks with until then.
    private func walks(_ engine: inout TestedEngine, until end: EngineInstant) -> [NodeID] {
        var peers: [NodeID] = []
        while engine.nextDeadline <= end {
            for case .walk(let peer) in engine.advance(to: engine.nextDeadline) { peers.append(peer.nodeID) }
        }
        return peers
    }

    private func arrival(_ message: [UInt8]) -> Arrival {
        Arrival(message: message, sender: address(2), delivery: .broadcast(reachedEveryone: false))
    }
}
