import Replication
import Simulation
import Testing
import TestSupport
import Transport

/// Both sides of a walk, as the core carries them out.
@Suite("Walks between replicas")
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
        _ = expected.merge(right.sortedRows, at: reading(.max))
        let result = try WalkPair.run(&left, &right)
        #expect(left.sortedRows == expected.sortedRows)
        #expect(right.sortedRows == expected.sortedRows)
        #expect(left.summary == right.summary)
        #expect(result.initiator.isPeerSynced)
    }

    @Test("equal replicas find it out in one round trip of 2 kB")
    func equalIsCheap() throws {
        var left = replica(1, count: 500)
        var right = left
        let result = try WalkPair.run(&left, &right, responderNode: NodeID(2))
        #expect(result.initiator.roundTrips == 1)
        #expect(result.bytes < 2_200)
        #expect(!result.initiator.isProductive)
    }

    @Test("100 differing rows among 20,000 are repaired in three round trips, for the price of the difference")
    func differenceIsCheap() throws {
        var left = replica(1, count: 20_000)
        var right = left
        for index in 0..<50 {
            _ = left.update("key \(index * 7)", text: "left", at: reading(50_000))
            _ = right.delete("key \(index * 11 + 3)", at: reading(50_000))
        }
        let result = try WalkPair.run(&left, &right, responderNode: NodeID(2))
        #expect(left.sortedRows == right.sortedRows)
        #expect(result.initiator.roundTrips <= 3)
        #expect(result.bytes < 300_000)
    }

    @Test("an empty replica is filled in key order, in pages")
    func fullSync() throws {
        var left = MemoryReplica(nodeID: NodeID(2))
        var right = replica(1, count: 5_000)
        _ = right.delete("key 17", at: reading(60_000))
        let result = try WalkPair.run(&left, &right)
        #expect(left.sortedRows == right.sortedRows)
        #expect(result.initiator.mergedCount == 5_000)
        let keys = try result.toInitiator.flatMap { message -> [ByteString] in
            guard case .rows(let rows) = try WalkMessage.decode(message) else { return [] }
            return rows.map(\.key)
        }
        #expect(keys.count == 5_000)
        #expect(keys == keys.sorted())
    }

    @Test("rows from a clock too far ahead are taken in, and counted")
    func ahead() throws {
        var left = replica(1, count: 3)
        var right = MemoryReplica(nodeID: NodeID(2))
        _ = right.create("future", text: "x", at: reading(999_999))
        let result = try WalkPair.run(&left, &right, at: WallReading(milliseconds: 500_000, isConfirmed: true))
        #expect(result.initiator.aheadCount == 1)
        #expect(result.initiator.furthestAhead?.time.milliseconds == 999_999)
        #expect(left.visible("future") != nil)
        #expect(right.visible("key 1") != nil)
    }

    private func replica(_ node: UInt64, count: Int) -> MemoryReplica {
        var replica = MemoryReplica(nodeID: NodeID(node))
        for index in 0..<count {
            _ = replica.create("key \(index)", text: "text \(index)", at: reading(Int64(10_000 + index)))
        }
        return replica
    }
}
