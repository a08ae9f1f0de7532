import Simulation
@testable import Replication
import Testing
import TestSupport
import Transport

@Suite("Walks")
struct WalkTests {
    @Test("any two replicas are equal after one walk, each having what either had", arguments: 0..<60)
    func equalAfterwards(seed: Int) throws {
        var random = RandomRows(seed: UInt64(seed))
        var left = MemoryReplica(nodeID: NodeID(1))
        var right = MemoryReplica(nodeID: NodeID(2))
        let scale = [0, 1, 5, 300][random.int(4)]
        for _ in 0..<(scale * (1 + random.int(3))) {
            let row = random.row(key: ByteString("key \(random.int(1 + scale * 2))"))
            if random.int(3) > 0 { _ = left.merge([row]) }
            if random.int(3) > 0 { _ = right.merge([row]) }
        }
        var expected = left
        _ = expected.merge(right.sortedRows, latest: .max)
        let result = try WalkRun.run(&left, &right)
        #expect(left.sortedRows == expected.sortedRows)
        #expect(right.sortedRows == expected.sortedRows)
        #expect(left.summary == right.summary)
        #expect(result.initiator.isPeerSynced)
    }

    @Test("equal replicas find it out in one round trip of 2 kB")
    func equalIsCheap() throws {
        var left = replica(1, count: 500)
        var right = left
        let result = try WalkRun.run(&left, &right, responderNode: NodeID(2))
        #expect(result.roundTrips == 1)
        #expect(result.bytes < 2_200)
        #expect(!result.initiator.isProductive)
    }

    @Test("100 differing rows among 20,000 are repaired in three round trips, for the price of the difference")
    func differenceIsCheap() throws {
        var left = replica(1, count: 20_000)
        var right = left
        for index in 0..<50 {
            _ = left.update("key \(index * 7)", text: "left", wallMilliseconds: 50_000)
            _ = right.delete("key \(index * 11 + 3)", wallMilliseconds: 50_000)
        }
        let result = try WalkRun.run(&left, &right, responderNode: NodeID(2))
        #expect(left.sortedRows == right.sortedRows)
        #expect(result.roundTrips <= 3)
        #expect(result.bytes < 300_000)
    }

    @Test("an empty replica is filled in key order, in pages")
    func fullSync() throws {
        var left = MemoryReplica(nodeID: NodeID(2))
        var right = replica(1, count: 5_000)
        _ = right.delete("key 17", wallMilliseconds: 60_000)
        let result = try WalkRun.run(&left, &right)
        #expect(left.sortedRows == right.sortedRows)
        #expect(result.initiator.mergedCount == 5_000)
        #expect(result.rowKeys == result.rowKeys.sorted())
    }

    @Test("rows from a clock too far ahead are left out, and counted")
    func ahead() throws {
        var left = replica(1, count: 3)
        var right = MemoryReplica(nodeID: NodeID(2))
        _ = right.create("future", text: "x", wallMilliseconds: 999_999)
        let result = try WalkRun.run(&left, &right, latest: HybridTime(milliseconds: 500_000))
        #expect(result.initiator.aheadCount == 1)
        #expect(result.initiator.furthestAhead?.time.milliseconds == 999_999)
        #expect(left.visible("future") == nil)
        #expect(right.visible("key 1") != nil)
    }

    @Test("a copied database is refused by its id, another version by its number")
    func refusals() throws {
        var responder = WalkResponder(node: NodeID(1), isSynced: true)
        _ = responder.begin()
        var open = WalkMessage.Open(
            lowestVersion: 1, highestVersion: 1, node: NodeID(1), summary: .empty, topSums: [])
        let same = try responder.received(.open(open), latest: .max)
        #expect(same.messages == [WalkMessage.refusal(.sameNode).encoded()])
        open.node = NodeID(2)
        open.lowestVersion = 9
        open.highestVersion = 12
        var other = WalkResponder(node: NodeID(1), isSynced: true)
        let refused = try other.received(.open(open), latest: .max)
        #expect(refused.messages == [WalkMessage.refusal(.otherVersion).encoded()])
        var initiator = WalkInitiator(node: NodeID(2))
        #expect(throws: WalkFailure.refused(.busy)) { _ = try initiator.received(.refusal(.busy), latest: .max) }
    }

    @Test("messages out of place end the walk with an error, in every state")
    func unexpected() throws {
        let messages: [WalkMessage] = [
            .finish, .rows([]), .wants([]), .digests([]), .sums([]), .done(isSynced: true),
            .push(.init(reachedEveryone: true, sender: NodeID(1), changes: [])),
        ]
        for message in messages {
            var responder = WalkResponder(node: NodeID(1), isSynced: true)
            #expect(throws: WalkFailure.unexpectedMessage) { _ = try responder.received(message, latest: .max) }
        }
        for message in messages {
            var initiator = WalkInitiator(node: NodeID(1))
            #expect(throws: WalkFailure.unexpectedMessage) { _ = try initiator.received(message, latest: .max) }
        }
    }

    @Test("every message comes back as it was", arguments: WalkMessageSamples.all)
    func roundTrip(message: WalkMessage) throws {
        #expect(try WalkMessage.decode(message.encoded()) == message)
    }

    private func replica(_ node: UInt64, count: Int) -> MemoryReplica {
        var replica = MemoryReplica(nodeID: NodeID(node))
        for index in 0..<count {
            _ = replica.create("key \(index)", text: "text \(index)", wallMilliseconds: Int64(10_000 + index))
        }
        return replica
    }
}

enum WalkMessageSamples {
    static var all: [WalkMessage] {
        var random = RandomRows(seed: 9)
        let sums = (0..<256).map { _ in random.generator.next() }
        return [
            .open(
                .init(
                    lowestVersion: 1, highestVersion: 3, node: NodeID(7), summary: TreeSummary(root: 99, count: 3),
                    topSums: sums)),
            .open(.init(lowestVersion: 1, highestVersion: 1, node: NodeID(7), summary: .empty, topSums: [])),
            .sums([.init(top: 3, sums: sums), .init(top: 255, sums: sums)]), .sums([]),
            .digests([BucketDigests(bucket: 65_535, entries: [.init(keyHash: 1, rowHash: .max)])]),
            .rows((0..<20).map { EncodedRow(random.row(key: ByteString("k\($0)"))) }), .rows([]),
            .wants([BucketWant(bucket: 2, keyHashes: [1, 2, 3])]), .finish, .done(isSynced: true),
            .done(isSynced: false),
            .refusal(.busy), .push(.init(reachedEveryone: true, sender: NodeID(4), changes: [1, 2, 3])),
        ]
    }
}
