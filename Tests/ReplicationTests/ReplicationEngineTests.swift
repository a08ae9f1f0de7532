@testable import Replication
import TestSupport
import Testing
import Transport

@Suite("Replication engine")
struct ReplicationEngineTests {
    typealias Effect = ReplicationEngine.Effect

    @Test("a commit is broadcast at once, numbered, in messages of at most the transport's size")
    func broadcasts() throws {
        var engine = readyEngine()
        let rows = (0..<40).map { row("key \($0)", text: String(repeating: "t", count: 100)) }
        let effects = engine.committed(rows, at: .zero)
        var sent: [EncodedRow] = []
        for (index, effect) in effects.enumerated() {
            guard case .broadcast(let message, let options) = effect else { Issue.record("\(effect)"); continue }
            #expect(message.count <= 1_200)
            #expect(options == BroadcastOptions())
            guard case .changes(let changes) = try ReplicationMessage.decode(message[...]) else { continue }
            #expect(changes.sequence == UInt64(index + 1))
            sent += changes.rows
        }
        #expect(sent == rows.encoded)
        #expect(effects.count == 5)
    }

    @Test("a change too large to broadcast is pushed to every peer by exchange, in its place in the stream")
    func pushes() throws {
        var engine = readyEngine(peers: [2, 3])
        let effects = engine.committed([row("a"), row("big", text: String(repeating: "x", count: 3_000))], at: .zero)
        #expect(effects.count == 2)
        guard case .push(let bytes, let targets) = effects[1] else { Issue.record("\(effects)"); return }
        #expect(targets == [address(2), address(3)])
        guard case .push(let push) = try WalkMessage.decode(bytes),
            case .changes(let changes) = try ReplicationMessage.decode(push.changes[...])
        else { Issue.record("not a push of changes"); return }
        #expect(push.reachedEveryone)
        #expect(changes.sequence == 2)

        var receiver = readyEngine(node: 2, peers: [1, 3])
        let merge = receiver.receive(push, at: .zero)
        guard case .merge(_, let rows) = merge.first else { Issue.record("\(merge)"); return }
        #expect(rows.map(\.key) == ["big"])
    }

    @Test("news is passed on only when the sender did not reach everyone, and not to whom it came from")
    func relays() {
        for reachedEveryone in [true, false] {
            var engine = readyEngine(node: 2, peers: [1, 3, 4])
            let message = changes(from: 1, sequence: 1, rows: [row("k")])
            let arrival = Arrival(
                message: message, sender: address(3), delivery: .broadcast(reachedEveryone: reachedEveryone))
            let token = mergeToken(engine.receive([arrival], at: .zero))
            let effects = engine.merged(token, MergeOutcome(isNews: [true]), at: .zero)
            let relay = Effect.broadcast(message, BroadcastOptions(skipping: [address(3), address(1)]))
            #expect(effects == (reachedEveryone ? [] : [relay]))
        }
    }

    @Test("what is no news is not passed on, and a duplicate is not even merged")
    func duplicates() {
        var engine = readyEngine(node: 2, peers: [1, 3])
        let arrival = Arrival(
            message: changes(from: 1, sequence: 1, rows: [row("k")]), sender: address(1),
            delivery: .broadcast(reachedEveryone: false))
        let token = mergeToken(engine.receive([arrival], at: .zero))
        #expect(engine.merged(token, MergeOutcome(isNews: [false]), at: .zero) == [])
        #expect(engine.receive([arrival], at: .zero) == [])
        #expect(engine.stats.duplicateMessages == 1)
    }

    @Test("a hole that stays leads to a walk with its origin; one that is filled does not")
    func gaps() {
        for isFilled in [false, true] {
            var engine = readyEngine(node: 2, peers: [1])
            engine.summary = TreeSummary(root: 5, count: 1)
            _ = engine.receive([heartbeat(from: 1, head: 0, root: 7)], at: .zero)
            for sequence in [1, 3] as [UInt64] {
                let arrival = Arrival(
                    message: changes(from: 1, sequence: sequence, rows: [row("k\(sequence)")]), sender: address(1),
                    delivery: .broadcast(reachedEveryone: true))
                let token = mergeToken(engine.receive([arrival], at: .zero))
                _ = engine.merged(token, MergeOutcome(isNews: [true]), at: .zero)
            }
            if isFilled {
                let arrival = Arrival(
                    message: changes(from: 1, sequence: 2, rows: [row("k2")]), sender: address(1),
                    delivery: .broadcast(reachedEveryone: true))
                _ = engine.receive([arrival], at: milliseconds(20))
            }
            let walks = runUntil(milliseconds(900), &engine).filter(isWalk)
            #expect(walks == (isFilled ? [] : [.walk(peer(1))]))
        }
    }

    @Test("a lost last message shows by the head in the next heartbeat")
    func tailLoss() {
        var engine = readyEngine(node: 2, peers: [1])
        engine.summary = TreeSummary(root: 5, count: 1)
        _ = engine.receive([heartbeat(from: 1, head: 4, root: 5)], at: .zero)
        _ = engine.receive([heartbeat(from: 1, head: 5, root: 6)], at: milliseconds(10))
        #expect(runUntil(milliseconds(900), &engine).contains(.walk(peer(1))))
    }

    @Test("roots that differ for a second lead to a walk, from the lower id; equal ones never do")
    func rootsDiffer() {
        for (node, other, expected) in [(1, 2, 1), (2, 1, 0)] as [(UInt64, UInt64, Int)] {
            var engine = readyEngine(node: node, peers: [other])
            engine.summary = TreeSummary(root: 5, count: 1)
            var walks = 0
            for second in 0..<3 {
                _ = engine.receive([heartbeat(from: other, head: 0, root: 9)], at: milliseconds(second * 1_000))
                walks += runUntil(milliseconds(second * 1_000 + 900), &engine).count(where: isWalk)
            }
            #expect(walks == expected, "node \(node)")
            var equal = readyEngine(node: node, peers: [other])
            equal.summary = TreeSummary(root: 9, count: 1)
            for second in 0..<20 {
                _ = equal.receive([heartbeat(from: other, head: 0, root: 9)], at: milliseconds(second * 1_000))
                #expect(!runUntil(milliseconds(second * 1_000 + 999), &equal).contains(where: isWalk))
            }
        }
    }

    @Test("what a walk has repaired counts for the stream that it began with, not for that of a peer's next start")
    func walkOfAnEarlierStream() {
        var engine = readyEngine(node: 2, peers: [1])
        _ = engine.receive([heartbeat(from: 1, head: 0, root: 0)], at: .zero)
        _ = engine.receive([heartbeat(from: 1, head: 3_000, root: 6)], at: milliseconds(10))
        #expect(runUntil(milliseconds(900), &engine).contains(.walk(peer(1))))
        // The peer is started anew, and has sent five messages, before the walk's last message is read.
        _ = engine.receive([heartbeat(from: 1, start: 2, head: 5, root: 6)], at: milliseconds(910))
        _ = engine.walkFinished(with: NodeID(1), WalkOutcome(), at: milliseconds(920))
        let arrival = Arrival(
            message: changes(from: 1, start: 2, sequence: 6, rows: [row("k")]), sender: address(1),
            delivery: .broadcast(reachedEveryone: true))
        #expect(
            engine.receive([arrival], at: milliseconds(930)).contains { if case .merge = $0 { true } else { false } })
    }

    @Test("a walk that had to leave rows out does not end the lag")
    func lagOfHeldBackRows() {
        for isWhole in [false, true] {
            var engine = readyEngine(node: 1, peers: [2])
            engine.summary = TreeSummary(root: 5, count: 1)
            var outcome = WalkOutcome()
            if !isWhole { outcome.passedOverCount = 3 }
            for tenth in 0..<300 {
                let now = milliseconds(tenth * 100)
                if tenth % 10 == 0 { _ = engine.receive([heartbeat(from: 2, head: 0, root: 9)], at: now) }
                for effect in engine.advance(to: now) where isWalk(effect) {
                    _ = engine.walkFinished(with: NodeID(2), outcome, at: now)
                }
            }
            let lag = engine.engine.peerStatus(wallMilliseconds: 0, at: milliseconds(30_000)).first?.lag
            #expect(lag == (isWhole ? .zero : .seconds(30)))
        }
    }

    @Test("walks that find nothing become rarer, down to one in five seconds")
    func backsOff() {
        var engine = readyEngine(node: 1, peers: [2])
        engine.summary = TreeSummary(root: 5, count: 1)
        var starts: [Int] = []
        for tenth in 0..<600 {
            let now = milliseconds(tenth * 100)
            if tenth % 10 == 0 { _ = engine.receive([heartbeat(from: 2, head: 0, root: 9)], at: now) }
            for effect in engine.advance(to: now) where isWalk(effect) {
                starts.append(tenth)
                _ = engine.walkFinished(with: NodeID(2), WalkOutcome(), at: now)
            }
        }
        let distances = zip(starts, starts.dropFirst()).map { $1 - $0 }
        #expect(distances.dropFirst(3).allSatisfy { $0 >= 50 }, "\(distances)")
        #expect(starts.count >= 8, "\(starts)")
    }

    @Test("a joiner is ready once a walk with a ready donor is finished, and not before")
    func readyAfterWalk() {
        var engine = startingEngine(heard: [2])
        let effects = engine.beginFirstSync(at: .zero)
        #expect(effects.contains(.walk(peer(2))))
        #expect(!engine.isReady)
        var outcome = WalkOutcome()
        outcome.isPeerSynced = true
        let after = engine.walkFinished(with: NodeID(2), outcome, at: milliseconds(5))
        #expect(after.contains(.emit(.becameReady(isSynced: true))))
        #expect(engine.isReady && engine.isSynced)
    }

    @Test("when nobody is ready, all have been walked with before the node opens: the cluster starts as a whole")
    func coldStart() {
        var engine = startingEngine(heard: [2, 3], areReady: false)
        var effects = engine.beginFirstSync(at: .zero)
        for walked in 1...2 {
            #expect(!engine.isReady)
            guard case .walk(let donor) = effects.first(where: isWalk) else { Issue.record("\(effects)"); return }
            effects = engine.walkFinished(with: donor.nodeID, WalkOutcome(), at: milliseconds(walked))
        }
        #expect(engine.isReady)
    }

    @Test("a donor that fails or is busy is tried again, and after the timeout the node opens unsynced")
    func syncTimeout() {
        var engine = startingEngine(heard: [2])
        var pending = engine.beginFirstSync(at: .zero).filter(isWalk)
        var tries = 0
        var openedAt: Int?
        for tenth in 0..<400 {
            let now = milliseconds(tenth * 100)
            for _ in pending {
                tries += 1
                _ = engine.walkFailed(with: NodeID(2), .refused(.busy), at: now)
            }
            let effects = engine.advance(to: now)
            pending = effects.filter(isWalk)
            if effects.contains(.emit(.becameReady(isSynced: false))) { openedAt = openedAt ?? tenth }
            if engine.isReady { break }
        }
        #expect(tries > 100)
        #expect(openedAt == 300)
        #expect(!engine.isSynced)
        _ = engine.receive([heartbeat(from: 2, head: 0, root: 0)], at: milliseconds(41_000))
        #expect(engine.isSynced, "a ready peer with our root has nothing that we lack")
    }

    @Test("a sync that makes progress may take as long as it needs")
    func slowSync() {
        var engine = startingEngine(heard: [2])
        _ = engine.beginFirstSync(at: .zero)
        for second in stride(from: 0, to: 200, by: 20) {
            engine.walkProgressed(with: NodeID(2), at: milliseconds(second * 1_000))
            _ = engine.advance(to: milliseconds(second * 1_000))
            #expect(!engine.isReady)
        }
    }

    @Test("a donor that goes in the middle of the first sync leaves a node that says it is not synced")
    func donorGone() {
        var engine = startingEngine(heard: [2])
        _ = engine.beginFirstSync(at: .zero)
        _ = engine.walkFailed(with: NodeID(2), .exchange(.closed), at: milliseconds(700))
        _ = engine.setPeers([], at: milliseconds(800))
        #expect(!runUntil(milliseconds(29_000), &engine).contains(.emit(.becameReady(isSynced: true))))
        #expect(!engine.isReady)
        #expect(runUntil(milliseconds(31_000), &engine).contains(.emit(.becameReady(isSynced: false))))
    }

    @Test("joined, but no member replicates: the node opens soon, and does not claim to be synced")
    func nobodyToSyncFrom() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.beginFirstSync(at: .zero)
        #expect(runUntil(milliseconds(600), &engine).contains(.emit(.becameReady(isSynced: false))))
    }

    @Test("a peer with this node's id, or two with one, is reported: a database was copied")
    func copiedDatabase() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        let twin = ReplicationPeer(nodeID: NodeID(1), address: address(9))
        let second = ReplicationPeer(nodeID: NodeID(2), address: address(8))
        let effects = engine.setPeers([twin, second, peer(2)], at: .zero)
        #expect(effects.contains(.emit(.sameNode(twin))))
        #expect(effects.contains(.emit(.sameNode(second))))
        #expect(engine.peers == [peer(2)])
    }

    @Test("a forged head, number or start does not cut an origin off for good")
    func forgedNumbers() {
        let forgeries = [
            heartbeat(from: 2, head: .max - 1, root: 9), heartbeat(from: 2, start: .max, head: 7, root: 9),
            Arrival(
                message: changes(from: 2, sequence: .max - 1, rows: [row("x")]), sender: address(2), delivery: .unicast),
        ]
        for forgery in forgeries {
            var engine = readyEngine(node: 1, peers: [2])
            engine.summary = TreeSummary(root: 5, count: 1)
            _ = engine.receive([heartbeat(from: 2, head: 3, root: 5)], at: .zero)
            for effect in engine.receive([forgery], at: milliseconds(10)) {
                if case .merge(let token, _) = effect {
                    _ = engine.merged(token, MergeOutcome(isNews: [false]), at: .zero)
                }
            }
            var walks = 0
            for second in 1...8 {
                _ = engine.receive([heartbeat(from: 2, head: 3, root: 9)], at: milliseconds(second * 1_000))
                for effect in runUntil(milliseconds(second * 1_000 + 999), &engine) where isWalk(effect) {
                    walks += 1
                    _ = engine.walkFinished(with: NodeID(2), WalkOutcome(), at: milliseconds(second * 1_000 + 999))
                }
            }
            #expect(walks > 0)
            let next = Arrival(
                message: changes(from: 2, sequence: 4, rows: [row("y")]), sender: address(2), delivery: .unicast)
            let effects = engine.receive([next], at: milliseconds(9_500))
            #expect(effects.contains { if case .merge = $0 { true } else { false } }, "not taken for a duplicate")
        }
    }

    @Test("a hole that shows during the first sync is closed by a walk once the node is open")
    func holeDuringSync() {
        var engine = startingEngine(heard: [2, 3])
        let effects = engine.beginFirstSync(at: .zero)
        guard case .walk(let donor) = effects.first(where: isWalk) else { Issue.record("no walk"); return }
        let other: UInt64 = donor.nodeID == NodeID(2) ? 3 : 2
        _ = engine.receive([heartbeat(from: other, head: 1, root: 9)], at: milliseconds(10))
        _ = runUntil(milliseconds(900), &engine)
        var outcome = WalkOutcome()
        outcome.isPeerSynced = true
        _ = engine.walkFinished(with: donor.nodeID, outcome, at: milliseconds(1_000))
        #expect(runUntil(milliseconds(2_000), &engine).contains(.walk(peer(other))))
    }

    @Test("first and alone open at once, alone says that it is not synced")
    func opensAlone() {
        for isSynced in [true, false] {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
            #expect(engine.open(isSynced: isSynced, at: .zero).contains(.emit(.becameReady(isSynced: isSynced))))
            #expect(engine.isReady)
            #expect(engine.isSynced == isSynced)
        }
    }

    @Test("rubbish, strangers' heartbeats and floods of invented streams leave no memory behind")
    func bounded() {
        var configuration = ReplicationConfiguration()
        configuration.maxStreams = 64
        var engine = TestedEngine(configuration: configuration, nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.open(isSynced: true, at: .zero)
        var random = RandomRows(seed: 3)
        for index in 0..<5_000 {
            let bytes = (0..<random.int(60)).map { _ in UInt8(random.int(256)) }
            let arrivals = [
                Arrival(message: bytes, sender: address(9), delivery: .unicast),
                heartbeat(from: UInt64(1_000 + index), head: 3, root: 1),
                Arrival(
                    message: changes(
                        from: UInt64(1_000 + index), sequence: random.generator.next() | 1, rows: [row("k")]),
                    sender: address(9), delivery: .unicast),
            ]
            let token = mergeToken(engine.receive(arrivals, at: .zero))
            _ = engine.merged(token, MergeOutcome(isNews: [false]), at: .zero)
        }
        #expect(engine.streams.count <= 64)
        #expect(engine.table.stateCount == 0)
        #expect(engine.merges.isEmpty)
        _ = engine.advance(to: milliseconds(60_000))
        #expect(engine.table.timerCount == 0)
        #expect(engine.stats.malformedMessages > 1_000)
    }

    // MARK: - Helpers

    /// Not decided yet, with these peers, whose broadcasts arrive.
    private func startingEngine(heard peers: [UInt64], areReady: Bool = true) -> TestedEngine {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.setPeers(peers.map(peer), at: .zero)
        for peer in peers {
            _ = engine.receive([heartbeat(from: peer, head: 0, root: 9, isReady: areReady)], at: .zero)
        }
        return engine
    }

    private func runUntil(_ end: EngineInstant, _ engine: inout TestedEngine) -> [Effect] {
        var effects: [Effect] = []
        while engine.nextDeadline <= end { effects += engine.advance(to: engine.nextDeadline) }
        return effects
    }

    private func mergeToken(_ effects: [Effect]) -> ReplicationEngine.MergeToken {
        for case .merge(let token, _) in effects { return token }
        Issue.record("no merge in \(effects)")
        return ReplicationEngine.MergeToken(number: 0)
    }
}
