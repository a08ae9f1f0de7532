@testable import Replication
import TestSupport
import Testing
import Transport

@Suite("Gap pull")
struct PullTests {
    typealias Effect = ReplicationEngine.Effect

    @Test("a hole is asked for within 80 ms, the origin sends just that again, and no walk begins")
    func closesHole() throws {
        var origin = engine(node: 1, peers: [2])
        var receiver = engine(node: 2, peers: [1])
        let sent = (1...5).flatMap { broadcasts(origin.committed([row("k\($0)")], at: .zero)) }
        for (index, message) in sent.enumerated() where index != 2 { merge(message, into: &receiver, at: .zero) }

        let effects = run(&receiver, to: milliseconds(80))
        let pull = try #require(sends(effects).first)
        #expect(sends(effects).count == 1 && pull.to == address(1))
        let answer = origin.receive(
            [Arrival(message: pull.message, sender: address(2), delivery: .unicast)], at: milliseconds(80))
        #expect(answer == [.send(sent[2], to: address(2))])
        merge(sent[2], into: &receiver, at: milliseconds(90))
        #expect(receiver.streams[NodeID(1)]?.window.hasGap == false)
        #expect(!run(&receiver, to: milliseconds(950)).contains(where: isWalk))
        #expect(receiver.stats.sentPulls == 1 && origin.stats.answeredPulls == 1)
        #expect(receiver.stats.gaps == 1 && receiver.stats.pulledGaps == 1 && receiver.openGapCount == 0)
        #expect(origin.stats.sentRows == 5 && receiver.stats.receivedRows == 5)
    }

    @Test("a hole that closes by itself, or that a walk closes, is none that a pull closed")
    func otherClosings() {
        var late = engine(node: 2, peers: [1])
        for sequence: UInt64 in [1, 3] { merge(changes(from: 1, sequence: sequence), into: &late, at: .zero) }
        #expect(late.stats.gaps == 1 && late.openGapCount == 1)
        merge(changes(from: 1, sequence: 2), into: &late, at: .zero)
        #expect(late.stats.pulledGaps == 0 && late.openGapCount == 0)

        var walker = engine(node: 2, peers: [1])
        for sequence: UInt64 in [1, 3] { merge(changes(from: 1, sequence: sequence), into: &walker, at: .zero) }
        #expect(run(&walker, to: milliseconds(900)).contains(where: isWalk))
        var outcome = WalkOutcome()
        outcome.note(MergeOutcome(isNews: [true, false, true]))
        outcome.sentCount = 4
        outcome.roundTrips = 3
        _ = walker.walkFinished(with: NodeID(1), outcome, at: milliseconds(910))
        #expect(walker.stats.sentPulls == 2 && walker.stats.gaps == 1 && walker.stats.pulledGaps == 0)
        #expect(walker.openGapCount == 0 && walker.stats.walkRowsReceived == 3 && walker.stats.walkRowsSent == 4)
        let merged = walker.stats.mergedRows
        walker.walkServed(outcome)
        #expect(walker.stats.walkRoundTrips == 3, "those that a peer led are the peer's")
        #expect(walker.stats.servedWalks == 1 && walker.stats.mergedRows == merged + 2)
    }

    @Test("the hole of a peer that is gone is none that is open, and is one again when it is back")
    func peerLeaves() {
        var receiver = engine(node: 2, peers: [1, 3])
        for sequence: UInt64 in [1, 3] { merge(changes(from: 1, sequence: sequence), into: &receiver, at: .zero) }
        #expect(receiver.openGapCount == 1)
        _ = receiver.setPeers([peer(3)], at: milliseconds(10))
        #expect(receiver.openGapCount == 0)
        _ = receiver.setPeers([peer(1), peer(3)], at: milliseconds(20))
        #expect(receiver.openGapCount == 1 && receiver.stats.gaps == 1)
        merge(changes(from: 1, sequence: 2), into: &receiver, at: milliseconds(30))
        #expect(receiver.openGapCount == 0)
    }

    @Test("pulls that nobody answers are followed by a walk, and there are two of them")
    func unanswered() {
        var receiver = engine(node: 2, peers: [1])
        for sequence: UInt64 in [1, 3] { merge(changes(from: 1, sequence: sequence), into: &receiver, at: .zero) }
        let effects = run(&receiver, to: milliseconds(900))
        #expect(sends(effects).count == 2)
        #expect(effects.last(where: isWalk) == .walk(peer(1)))
    }

    @Test("a hole that is too large, or damage without numbers, is for a walk at once", arguments: [64, 65])
    func largeHole(missing: UInt64) {
        var receiver = engine(node: 2, peers: [1])
        for sequence in [1, missing + 2] { merge(changes(from: 1, sequence: sequence), into: &receiver, at: .zero) }
        let effects = run(&receiver, to: milliseconds(140))
        #expect(sends(effects).count == (missing == 64 ? 1 : 0))
        #expect(run(&receiver, to: milliseconds(360)).contains(where: isWalk) == (missing == 65))
    }

    @Test("a change too large for a message is pushed to the one that asks for it")
    func largeChange() throws {
        var origin = engine(node: 1, peers: [2, 3])
        _ = origin.committed([row("k", text: String(repeating: "x", count: 4_000))], at: .zero)
        let pull = ReplicationMessage.Pull(stream: StreamID(origin: NodeID(1), start: 1), ranges: [1...1])
        let answer = origin.receive([arrival(pull, from: 2)], at: .zero)
        guard case .push(let bytes, let targets)? = answer.first else { Issue.record("\(answer)"); return }
        #expect(answer.count == 1 && targets == [address(2)])
        guard case .push(let push) = try WalkMessage.decode(bytes) else { Issue.record("no push"); return }
        #expect(push.reachedEveryone, "nobody is to pass it on")
    }

    @Test("strangers, other starts and numbers that are gone get nothing; all together get a bounded number of bytes")
    func bounded() {
        var configuration = ReplicationConfiguration()
        configuration.maxRecentBytes = 1_000
        configuration.maxPullBytesPerSecond = 300
        var origin = TestedEngine(configuration: configuration, nodeID: NodeID(1), start: 1, seed: 1)
        _ = origin.setPeers([peer(2)], at: .zero)
        for index in 0..<50 { _ = origin.committed([row("k\(index)")], at: .zero) }
        #expect(origin.own.recentBytes > 0 && origin.own.recentBytes <= 1_000)
        func ask(_ range: ClosedRange<UInt64>, start: UInt64 = 1, from node: UInt64 = 2, at time: Int = 0) -> Int {
            let pull = ReplicationMessage.Pull(stream: StreamID(origin: NodeID(1), start: start), ranges: [range])
            return sends(origin.receive([arrival(pull, from: node)], at: milliseconds(time))).count
        }
        #expect(ask(1...20) == 0)
        #expect(ask(50...50, from: 9) == 0)
        #expect(ask(50...50, start: 2) == 0)
        #expect(ask(51...60) == 0)
        #expect(ask(50...50) == 1)
        let more = (0..<20).reduce(0) { count, _ in count + ask(50...50) }
        #expect((1...5).contains(more))
        #expect(ask(50...50, at: 1_001) == 1)
    }

    @Test("what is missing of a stream is counted right, also at the ends of the numbers")
    func missing() {
        var window = StreamWindow(head: 0)
        #expect(window.missing(limit: 64) == [])
        for sequence: UInt64 in [1, 3, 4, 7] { _ = window.insert(sequence) }
        #expect(window.missing(limit: 64) == [2...2, 5...6])
        #expect(window.missing(limit: 3) == [2...2, 5...6])
        #expect(window.missing(limit: 2) == nil)
        window.noteEnd(9)
        #expect(window.missing(limit: 64) == [2...2, 5...6, 8...9])
        window.noteLost()
        #expect(window.missing(limit: 64) == nil)
        var last = StreamWindow(head: .max - 3)
        _ = last.insert(.max)
        #expect(last.missing(limit: 64) == [(UInt64.max - 2)...(UInt64.max - 1)])
        #expect(StreamWindow(head: .max).missing(limit: 64) == [])
    }

    @Test("pulls read as they were written; those that make no sense are malformed")
    func codec() throws {
        let stream = StreamID(origin: NodeID(7), start: 9)
        let pull = ReplicationMessage.Pull(stream: stream, ranges: [1...1, 5...9, (.max - 2)...(.max - 1)])
        #expect(try ReplicationMessage.decode(ReplicationMessage.encode(pull)[...]) == .pull(pull))
        let header = Array(ReplicationMessage.encode(pull).prefix(18))
        for tail: [UInt8] in [
            [], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 0, 1, 65], [255, 255, 255, 255, 255, 255, 255, 255, 2],
            [0, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 0, 0, 0, 6, 1],
        ] {
            #expect(throws: ReplicationMessage.Failure.malformed) {
                _ = try ReplicationMessage.decode((header + tail)[...])
            }
        }
    }

    // MARK: - Helpers

    private func engine(node: UInt64, peers: [UInt64]) -> TestedEngine {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(node), start: 1, seed: 1)
        _ = engine.setPeers(peers.map(peer), at: .zero)
        _ = engine.open(isSynced: true, at: .zero)
        return engine
    }

    private func run(_ engine: inout TestedEngine, to end: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        while engine.nextDeadline <= end { effects += engine.advance(to: engine.nextDeadline) }
        return effects
    }

    private func merge(_ message: [UInt8], into engine: inout TestedEngine, at now: EngineInstant) {
        let arrival = Arrival(message: message, sender: address(1), delivery: .broadcast(reachedEveryone: true))
        for case .merge(let token, let rows) in engine.receive([arrival], at: now) {
            _ = engine.merged(token, MergeOutcome(isNews: rows.map { _ in true }), at: now)
        }
    }

    private func broadcasts(_ effects: [Effect]) -> [[UInt8]] {
        effects.compactMap { if case .broadcast(let message, _) = $0 { message } else { nil } }
    }

    private func sends(_ effects: [Effect]) -> [(message: [UInt8], to: PeerAddress)] {
        effects.compactMap { if case .send(let message, let peer) = $0 { (message, peer) } else { nil } }
    }

    private func arrival(_ pull: ReplicationMessage.Pull, from node: UInt64) -> Arrival {
        Arrival(message: ReplicationMessage.encode(pull), sender: address(node), delivery: .unicast)
    }

    private func changes(from node: UInt64, sequence: UInt64) -> [UInt8] {
        ReplicationTests.changes(from: node, sequence: sequence, rows: [row("k\(sequence)")])
    }
}
