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

    @Test(
        "whatever an answer may hold, and however full one bucket is, both replicas are equal after one walk",
        arguments: 0..<40)
    func equalInParts(seed: Int) throws {
        var random = RandomRows(seed: UInt64(seed))
        var left = MemoryReplica(nodeID: NodeID(1))
        var right = MemoryReplica(nodeID: NodeID(2))
        // Keys of a few buckets, of one, or of any.
        let hasher = RowHasher()
        let buckets = [1, 3, 65_536][seed % 3]
        let keys = (0..<400_000).lazy.map { ByteString("key \($0)") }.filter {
            Int(hasher.keyHash($0) >> 48) % 65_536 < buckets
        }.prefix([5, 40, 300][seed % 3])
        for key in keys {
            let row = random.row(key: key)
            if random.int(4) > 0 { _ = left.merge([row]) }
            if random.int(4) > 0 { _ = right.merge(random.int(2) > 0 ? [row] : [random.row(key: key)]) }
        }
        let limit = WalkLimit(rows: 1 + random.int(5), bytes: 1 + random.int(300))
        let result = try WalkPair.run(&left, &right, limit: limit)
        #expect(left.sortedRows == right.sortedRows)
        #expect(result.largestAnswerOfMany <= limit.maxBytes)
    }

    @Test("a node with one row holds no more of a large one than a small part, nor does the large one")
    func bounded() throws {
        for (few, many) in [(0, 1), (1, 0)] {
            var replicas = [MemoryReplica(nodeID: NodeID(1)), MemoryReplica(nodeID: NodeID(2))]
            let rows = (0..<40_000).map { EncodedRow(row("key \($0)")) }
            _ = replicas[many].merge(rows, at: reading(.max))
            _ = replicas[few].merge([row("another")])
            let limit = WalkLimit(rows: 4_096, bytes: 16 * 1024)
            var (left, right) = (replicas[0], replicas[1])
            let result = try WalkPair.run(&left, &right, limit: limit)
            #expect(left.summary == right.summary && left.summary.count == 40_001)
            #expect(result.largestAnswer <= 16 * 1024)
            #expect(result.toInitiator.allSatisfy { $0.count <= WalkMessage.targetBytes })
        }
    }

    @Test("large rows of one bucket come one by one, at either side's wish", arguments: [true, false])
    func largeRows(isMine: Bool) throws {
        let hasher = RowHasher()
        let keys = (0..<3_000_000).lazy.map { ByteString("key \($0)") }.filter { hasher.keyHash($0) >> 48 == 7 }.prefix(
            12)
        let text = String(repeating: "x", count: 200 * 1024)
        var large = MemoryReplica(nodeID: NodeID(1))
        _ = large.merge(keys.map { EncodedRow(row($0, text: text)) }, at: reading(.max))
        var small = MemoryReplica(nodeID: NodeID(2))
        _ = small.merge([row("another")])
        let limit = WalkLimit(rows: 4_096, bytes: 450 * 1024)
        let result =
            try isMine ? WalkPair.run(&large, &small, limit: limit) : WalkPair.run(&small, &large, limit: limit)
        #expect(large.summary == small.summary && large.summary.count == 13)
        #expect(result.largestAnswer <= 450 * 1024 && result.questionCount > 12)
    }

    @Test("a peer that says the same buckets again, or wants what it was not told of, is hung up on")
    func greed() throws {
        var responder = WalkResponder(node: NodeID(1), isSynced: true)
        _ = responder.begin()
        let open = WalkMessage.Open(
            node: NodeID(2), summary: TreeSummary(root: 1, count: 1), topSums: .init(repeating: 0, count: 256))
        _ = try responder.received(.open(open))
        let sums = TopSums(summary: TreeSummary(root: 2, count: 1), sums: .init(repeating: 0, count: 256))
        _ = try responder.answered(.topSums(sums))
        let digests = WalkMessage.digests([BucketDigests(bucket: 5, entries: [])])
        _ = try responder.received(digests)
        _ = try responder.answered(.compare(Comparison(ours: RowBatch(bucketCount: 1), wanted: [])))
        #expect(throws: WalkFailure.unexpectedMessage) { _ = try responder.received(digests) }

        var initiator = WalkInitiator(node: NodeID(1))
        _ = initiator.begin()
        _ = try initiator.answered(.topSums(sums))
        _ = try initiator.received(.accepted(wallMilliseconds: 0))
        _ = try initiator.received(.sums([.init(top: 0, sums: .init(repeating: 1, count: 256))]))
        _ = try initiator.answered(.bucketSums([.init(repeating: 0, count: 256)]))
        _ = try initiator.received(.sums([]))
        _ = try initiator.answered(.digests([BucketDigests(bucket: 0, entries: [.init(keyHash: 1, rowHash: 1)])]))
        let most = WalkInitiator.maxBatchBuckets
        for wants in [
            [BucketWant(bucket: 0, keyHashes: [1, 1])],
            (0...UInt16(most)).map { BucketWant(bucket: $0, keyHashes: []) },
            [BucketWant(bucket: 1, keyHashes: []), BucketWant(bucket: 0, keyHashes: [])],
        ] {
            var copy = initiator
            #expect(throws: WalkFailure.unexpectedMessage) { _ = try copy.received(.wants(wants)) }
        }
    }

    @Test("a donor whose store fails gives all it has, and says that it has not got all")
    func failingStore() throws {
        var responder = WalkResponder(node: NodeID(1), isSynced: true)
        _ = responder.begin()
        let open = WalkMessage.Open(
            node: NodeID(2), summary: TreeSummary(root: 1, count: 1), topSums: .init(repeating: 0, count: 256))
        _ = try responder.received(.open(open))
        #expect(responder.storeFailed() == nil)
        _ = try responder.answered(
            .topSums(TopSums(summary: TreeSummary(root: 2, count: 1), sums: .init(repeating: 0, count: 256))))
        _ = try responder.received(.rows([EncodedRow(row("k"))]))
        #expect(responder.storeFailed() == WalkTurn(then: .receive))
        let end = try responder.received(.finish)
        #expect(end.messages == [WalkMessage.done(.init(isSynced: true, hasAll: false)).encoded()])
        guard case .finished(let outcome) = end.next else { throw WalkFailure.unexpectedMessage }
        #expect(!outcome.isWhole && outcome.failedMergeCount == 1)
    }

    private func row(_ key: ByteString, text: String = "t") -> Row {
        .created(
            key: key, text: ByteString(text), atMilliseconds: 1,
            stamp: Stamp(time: HybridTime(milliseconds: 1), origin: NodeID(1)))
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
