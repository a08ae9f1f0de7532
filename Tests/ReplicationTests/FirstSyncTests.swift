@testable import Replication
import Testing
import Transport

/// When the first walk begins: broadcasts of a peer may reach this node only some time after membership knows the peer.
@Suite("First sync")
struct FirstSyncTests {
    typealias Effect = ReplicationEngine.Effect

    @Test("the first walk waits for a heartbeat from every peer, and begins with the last of them")
    func waitsForAll() {
        var engine = joinedEngine(peers: [2, 3, 4])
        for (node, instant) in [(3, 20), (2, 60)] as [(UInt64, UInt64)] {
            #expect(!engine.receive([heartbeat(from: node)], at: milliseconds(instant)).contains(where: isWalk))
            #expect(!run(&engine, to: milliseconds(instant + 10)).contains(where: isWalk))
        }
        let effects = engine.receive([heartbeat(from: 4)], at: milliseconds(90))
        #expect(effects.count(where: isWalk) == 1)
    }

    @Test("it waits at most 500 ms from the first peer on, however many come later, and prefers those it heard")
    func waitsNoLonger() {
        for seed: UInt64 in 1...20 {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: seed)
            #expect(!engine.beginFirstSync(at: .zero).contains(where: isWalk))
            _ = engine.setPeers([peer(2)], at: milliseconds(100))
            #expect(!run(&engine, to: milliseconds(400)).contains(where: isWalk))
            _ = engine.setPeers([2, 3, 4].map(peer), at: milliseconds(400))
            _ = engine.receive([heartbeat(from: 3, isReady: false)], at: milliseconds(420))
            #expect(!run(&engine, to: milliseconds(599)).contains(where: isWalk))
            #expect(engine.nextDeadline == milliseconds(600))
            #expect(engine.advance(to: milliseconds(600)).filter(isWalk) == [.walk(peer(3))], "seed \(seed)")
        }
    }

    @Test("of those it heard it prefers who is ready")
    func prefersReady() {
        for seed: UInt64 in 1...20 {
            var engine = joinedEngine(peers: [2, 3, 4], seed: seed)
            _ = engine.receive([heartbeat(from: 2, isReady: false)], at: milliseconds(10))
            _ = engine.receive([heartbeat(from: 3)], at: milliseconds(10))
            #expect(engine.advance(to: milliseconds(500)).filter(isWalk) == [.walk(peer(3))])
        }
    }

    @Test("the first heartbeat of a peer is answered within 10 ms, the next one is not")
    func answersFirst() {
        var engine = joinedEngine(peers: [2])
        _ = engine.receive([heartbeat(from: 2)], at: milliseconds(100))
        #expect(engine.nextDeadline <= milliseconds(110))
        #expect(engine.advance(to: milliseconds(110)).contains(where: isHeartbeat))
        _ = engine.receive([heartbeat(from: 2)], at: milliseconds(120))
        #expect(!engine.advance(to: milliseconds(130)).contains(where: isHeartbeat))
    }

    @Test("a walk begins also when nobody is heard at all")
    func hearsNobody() {
        var engine = joinedEngine(peers: [2, 3])
        #expect(!run(&engine, to: milliseconds(499)).contains(where: isWalk))
        #expect(run(&engine, to: milliseconds(500)).count(where: isWalk) == 1)
    }

    @Test("when the one that was not heard goes, the wait is over")
    func silentPeerGoes() {
        var engine = joinedEngine(peers: [2, 3])
        #expect(!engine.receive([heartbeat(from: 2)], at: milliseconds(10)).contains(where: isWalk))
        #expect(engine.setPeers([peer(2)], at: milliseconds(50)).filter(isWalk) == [.walk(peer(2))])
    }

    @Test("peers that are gone before they were heard leave a node that says it is not synced, after the timeout")
    func allGo() {
        var engine = joinedEngine(peers: [2])
        _ = engine.setPeers([], at: milliseconds(200))
        #expect(!run(&engine, to: milliseconds(29_000)).contains { $0 == .emit(.becameReady(isSynced: true)) })
        #expect(!engine.isReady)
        #expect(run(&engine, to: milliseconds(31_000)).contains(.emit(.becameReady(isSynced: false))))
    }

    @Test("a donor that failed is tried again after 200 ms, not before, and nothing spins meanwhile")
    func retries() {
        var engine = joinedEngine(peers: [2, 3])
        var advances = 0
        var walks = 0
        while engine.nextDeadline <= milliseconds(5_000) {
            let now = engine.nextDeadline
            advances += 1
            for case .walk(let donor) in engine.advance(to: now) {
                walks += 1
                _ = engine.walkFailed(with: donor.nodeID, .refused(.busy), at: now)
            }
        }
        // Two donors, each at most every 200 ms, from 500 ms on.
        #expect(walks >= 40 && walks <= 46, "\(walks)")
        #expect(advances <= walks + 6, "\(advances)")
    }

    @Test("a peer that connects brings the next heartbeat, 10 ms later; those that connect meanwhile share it")
    func connected() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.setPeers([peer(2), peer(3)], at: .zero)
        _ = engine.open(isSynced: true, at: .zero)
        _ = run(&engine, to: milliseconds(100))
        for offset: UInt64 in 0..<10 { #expect(engine.peerConnected(at: milliseconds(300 + offset)) == []) }
        #expect(engine.nextDeadline == milliseconds(310))
        #expect(run(&engine, to: milliseconds(309)) == [])
        #expect(run(&engine, to: milliseconds(400)).count(where: isHeartbeat) == 1)
        // It never puts one off.
        let regular = engine.nextDeadline
        #expect(regular == milliseconds(1_310))
        _ = engine.peerConnected(at: milliseconds(1_305))
        #expect(engine.nextDeadline == regular)
    }

    // MARK: - Helpers

    private func joinedEngine(peers: [UInt64], seed: UInt64 = 1) -> TestedEngine {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: seed)
        #expect(!engine.setPeers(peers.map(peer), at: .zero).contains(where: isWalk))
        #expect(!engine.beginFirstSync(at: .zero).contains(where: isWalk))
        return engine
    }

    private func run(_ engine: inout TestedEngine, to end: EngineInstant) -> [Effect] {
        var effects: [Effect] = []
        while engine.nextDeadline <= end { effects += engine.advance(to: engine.nextDeadline) }
        return effects
    }

    @Test("a donor that is open but not synced is not enough; when all were walked with, the cluster starts as a whole")
    func unsyncedDonor() {
        for hasLostPeer in [false, true] {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
            _ = engine.setPeers([peer(2), peer(3)], at: .zero)
            for node: UInt64 in [2, 3] {
                _ = engine.receive([heartbeat(from: node, isReady: false)], at: .zero)
            }
            guard case .walk(let donor)? = engine.beginFirstSync(at: .zero).first(where: isWalk) else {
                Issue.record("no walk")
                return
            }
            let other: UInt64 = donor.nodeID == NodeID(2) ? 3 : 2
            var effects = engine.walkFinished(with: donor.nodeID, WalkOutcome(), at: milliseconds(10))
            #expect(!engine.isReady)
            if hasLostPeer {
                effects = engine.walkFailed(with: NodeID(other), .exchange(.closed), at: milliseconds(20))
                effects += engine.setPeers([donor], at: milliseconds(30))
            } else {
                effects = engine.walkFinished(with: NodeID(other), WalkOutcome(), at: milliseconds(20))
            }
            #expect(effects.contains(.emit(.becameReady(isSynced: !hasLostPeer))))
        }
    }

    @Test(
        "who was heard of and is being asked may be synced: the start waits for it, two seconds, or ten without a row")
    func hearsay() {
        let cases: [(Bool, UInt64)] = [(true, 0), (true, 1), (false, 0), (false, 1)]
        for (isAnswered, count) in cases {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
            engine.summary = TreeSummary(root: 1, count: count)
            _ = engine.setPeers([peer(2)], areComplete: false, at: .zero)
            _ = engine.receive([heartbeat(from: 2, isReady: false)], at: .zero)
            _ = engine.beginFirstSync(at: .zero)
            var effects = engine.walkFinished(with: NodeID(2), WalkOutcome(), at: milliseconds(5))
            #expect(!engine.isReady && !effects.contains(where: isWalk))
            if isAnswered {
                effects = engine.setPeers([peer(2), peer(3)], at: milliseconds(9))
                effects += engine.receive([heartbeat(from: 3)], at: milliseconds(10))
                #expect(effects.contains(.walk(peer(3))))
            } else {
                let end: Int64 = count == 0 ? 10_000 : 2_000
                effects = run(&engine, to: milliseconds(end - 1))
                #expect(!engine.isReady)
                effects += run(&engine, to: milliseconds(end + 1))
                #expect(engine.isReady)
            }
        }
    }

    @Test("a donor that was not synced is asked again when it is, though another does not answer")
    func recoveredDonor() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.setPeers([peer(2), peer(3)], at: .zero)
        _ = engine.receive([heartbeat(from: 2, isReady: false)], at: .zero)
        _ = engine.beginFirstSync(at: .zero)
        var effects = run(&engine, to: milliseconds(500))
        #expect(effects.contains(.walk(peer(2))))
        effects = engine.walkFinished(with: NodeID(2), WalkOutcome(), at: milliseconds(510))
        #expect(effects.contains(.walk(peer(3))))
        _ = engine.receive([heartbeat(from: 2)], at: milliseconds(1_000))
        _ = engine.walkFailed(with: NodeID(3), .exchange(.noAnswer), at: milliseconds(3_500))
        effects = run(&engine, to: milliseconds(3_700))
        #expect(effects.last(where: isWalk) == .walk(peer(2)))
        var outcome = WalkOutcome()
        outcome.isPeerSynced = true
        effects = engine.walkFinished(with: NodeID(2), outcome, at: milliseconds(3_800))
        #expect(effects.contains(.emit(.becameReady(isSynced: true))))
    }

    @Test("a start that could not ask everyone in two seconds opens, but does not claim to be synced")
    func notEveryoneAsked() {
        for areComplete in [false, true] {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
            engine.summary = TreeSummary(root: 1, count: 1)
            _ = engine.setPeers([peer(2)], areComplete: areComplete, at: .zero)
            _ = engine.receive([heartbeat(from: 2, isReady: false)], at: .zero)
            _ = engine.beginFirstSync(at: .zero)
            _ = engine.walkFinished(with: NodeID(2), WalkOutcome(), at: milliseconds(5))
            _ = run(&engine, to: milliseconds(2_100))
            #expect(engine.isReady && engine.isSynced == areComplete)
        }
    }

    @Test("a large cluster that starts as a whole comes to be synced: once what each peer had is here")
    func wholeClusterStarts() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        let others: [UInt64] = [2, 3, 4, 5, 6]
        _ = engine.setPeers(others.map(peer), at: .zero)
        for node in others { _ = engine.receive([heartbeat(from: node, isReady: false)], at: .zero) }
        var effects = engine.beginFirstSync(at: .zero)
        var walked: Set<NodeID> = []
        while case .walk(let donor)? = effects.first(where: isWalk), walked.count < 3 {
            walked.insert(donor.nodeID)
            effects = engine.walkFinished(with: donor.nodeID, WalkOutcome(), at: milliseconds(UInt64(walked.count)))
        }
        #expect(walked.count == 3 && engine.isReady && !engine.isSynced)
        engine.summary = TreeSummary(root: 9, count: 1)
        for isReady in [false, true] {
            for node in others {
                #expect(!engine.isSynced)
                let arrival = heartbeat(from: node, isReady: isReady, isSynced: false)
                _ = engine.receive([arrival], at: milliseconds(100))
            }
        }
        // As long as they were starting they had no say.
        #expect(engine.isSynced)
    }

    @Test("a first sync that had to leave rows out, since they are spoilt here, leaves it unsynced")
    func missedRows() {
        var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
        _ = engine.setPeers([peer(2)], at: .zero)
        _ = engine.receive([heartbeat(from: 2)], at: .zero)
        _ = engine.beginFirstSync(at: .zero)
        var outcome = WalkOutcome()
        outcome.isPeerSynced = true
        outcome.passedOverCount = 1
        let effects = engine.walkFinished(with: NodeID(2), outcome, at: milliseconds(10))
        #expect(effects.contains(.emit(.becameReady(isSynced: false))))
    }

    @Test("a node with data does not wait for one without, whatever that says of itself; one without waits")
    func emptyDonor() {
        // The other has no row yet, or what it has came from others.
        for (hasData, count): (Bool, UInt64) in [(true, 0), (false, 0), (true, 7), (false, 7)] {
            var engine = TestedEngine(configuration: .init(), nodeID: NodeID(1), start: 1, seed: 1)
            if hasData { engine.summary = TreeSummary(root: 5, count: 3) }
            _ = engine.setPeers([peer(2)], at: .zero)
            _ = engine.receive([heartbeat(from: 2, isReady: false, isBlank: true, count: count)], at: .zero)
            let effects = engine.beginFirstSync(at: .zero)
            #expect(effects.contains(where: isWalk) == !hasData)
            // It has compared with nobody, and others may be away.
            #expect(effects.contains(.emit(.becameReady(isSynced: false))) == hasData)
        }
    }

    private func isHeartbeat(_ effect: Effect) -> Bool {
        if case .heartbeat = effect { return true }
        return false
    }

    private func heartbeat(
        from node: UInt64, isReady: Bool = true, isSynced: Bool? = nil, isBlank: Bool = false, count: UInt64 = 1
    ) -> Arrival {
        let message = ReplicationMessage.encode(
            .init(
                stream: StreamID(origin: NodeID(node), start: 1), head: 0,
                summary: count == 0 ? .empty : TreeSummary(root: 9, count: count),
                isReady: isReady, isSynced: isSynced ?? isReady, isBlank: isBlank))
        return Arrival(message: message, sender: address(node), delivery: .broadcast(reachedEveryone: true))
    }
}
