@testable import Replication
import TestSupport
import Testing
import Transport

/// What a node says of peers that it does not hear, and on whose word.
@Suite("Silent peers")
struct SilenceTests {
    @Test("a peer that is heard of no more is walked with every few seconds, and its lag grows")
    func silence() throws {
        for isHeard in [false, true] {
            var engine = readyEngine(node: 2, peers: [1])
            if isHeard { _ = engine.receive([heartbeat(from: 1, head: 0, root: 0)], at: .zero) }
            var walks: [Int] = []
            for tenth in 0..<600 {
                let effects = engine.advance(to: milliseconds(tenth * 100))
                for effect in effects where isWalk(effect) {
                    walks.append(tenth)
                    _ = engine.walkFinished(with: NodeID(1), WalkOutcome(), at: milliseconds(tenth * 100))
                }
            }
            #expect(walks.first.map { (50...75).contains($0) } == true, "\(walks)")
            #expect((9...12).contains(walks.count), "\(walks)")
            let lag = try #require(engine.engine.peerStatus(wallMilliseconds: 0, at: milliseconds(60_000)).first?.lag)
            #expect(lag == .seconds(60))
            #expect(
                engine.engine.peerStatus(wallMilliseconds: 0, at: milliseconds(9_000)).first?.lag
                    == (isHeard ? .zero : nil))
        }
    }

    @Test("a peer that is heard of no more, and does not answer, is an obstacle after 10 s; one that answers is none")
    func silentObstacle() {
        for answers in [false, true] {
            var engine = readyEngine(node: 2, peers: [1])
            var since: Int?
            for tenth in 0..<600 {
                let now = milliseconds(tenth * 100)
                for effect in engine.advance(to: now) where answers && isWalk(effect) {
                    _ = engine.walkFinished(with: NodeID(1), WalkOutcome(), at: now)
                }
                if engine.engine.obstacles == [.noAnswer: 1] { since = since ?? tenth }
            }
            #expect(answers ? since == nil : since.map { (100...115).contains($0) } == true)
        }
    }

    @Test("an obstacle ends when all that the peer has is here, not when something is heard of it again")
    func obstacleStays() {
        var engine = readyEngine(node: 2, peers: [1])
        var walks = 0
        for tenth in 0..<150 {
            let now = milliseconds(tenth * 100)
            walks += engine.advance(to: now).count(where: isWalk)
            if tenth > 120, tenth % 10 == 0 { _ = engine.receive([heartbeat(from: 1, head: 0, root: 7)], at: now) }
        }
        #expect(walks == 1)
        #expect(engine.engine.obstacles == [.noAnswer: 1])
        _ = engine.walkFinished(with: NodeID(1), WalkOutcome(), at: milliseconds(18_000))
        #expect(engine.engine.obstacles == [.noAnswer: 1])
        for tenth in 180..<250 {
            let now = milliseconds(tenth * 100)
            for effect in engine.advance(to: now) where isWalk(effect) {
                _ = engine.walkFinished(with: NodeID(1), WalkOutcome(), at: now)
            }
        }
        #expect(engine.engine.obstacles == [:])
    }

    @Test(
        "a witness vouches for a silent peer that it hears, once it has been compared with: not because it has just come",
        arguments: [false, true], [false, true])
    func witness(isEqual: Bool, hearsPeer: Bool) {
        var engine = readyEngine(node: 3, peers: [1])
        _ = engine.setPeers([1, 2].map(peer), at: milliseconds(9_000))
        for tenth in 90..<130 {
            let now = milliseconds(tenth * 100)
            _ = engine.advance(to: now)
            guard tenth % 10 == 0 else { continue }
            let word = heartbeat(from: 2, head: 0, root: isEqual ? 0 : 7, witness: hearsPeer ? 1 ^ 2 ^ 3 : 2 ^ 3)
            _ = engine.receive([word], at: now)
        }
        #expect(engine.engine.obstacles == (isEqual && hearsPeer ? [:] : [.noAnswer: 1]))
    }

    @Test("what was compared before a peer was a witness says nothing of the others")
    func laterWitness() {
        var engine = readyEngine(node: 3, peers: [1, 2])
        for tenth in 0..<130 {
            let now = milliseconds(tenth * 100)
            _ = engine.advance(to: now)
            guard tenth % 10 == 0 else { continue }
            // Equal until 8 s, when it had not met the other.
            let word = heartbeat(
                from: 2, head: 0, root: tenth <= 80 ? 0 : 7, witness: tenth <= 80 ? nil : 1 ^ 2 ^ 3)
            _ = engine.receive([word], at: now)
        }
        #expect(engine.engine.obstacles == [.noAnswer: 1])
    }

    @Test("in a cluster where heartbeats go to some peers only, silence says nothing")
    func silenceInLargeClusters() {
        for count: UInt64 in [30, 31] {
            var engine = readyEngine(node: 100, peers: Array(1...count))
            var walks = 0
            for tenth in 0..<300 { walks += engine.advance(to: milliseconds(tenth * 100)).count(where: isWalk) }
            #expect((walks > 0) == (count == 30))
            let lags = engine.engine.peerStatus(wallMilliseconds: 0, at: milliseconds(30_000)).map(\.lag)
            #expect(lags.allSatisfy { $0 == (count == 30 ? .seconds(30) : nil) })
        }
    }
}
