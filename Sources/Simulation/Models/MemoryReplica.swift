package import Replication
package import Transport

/// The rows of one node in memory: the plainest thing that answers as a `ReplicaStore`. The oracle of the store's tests,
/// and the database of simulated nodes.
package struct MemoryReplica: Replica, Sendable {
    package let nodeID: NodeID
    package private(set) var rows: [ByteString: EncodedRow] = [:]
    package private(set) var tree = HashTree()
    package private(set) var clock = HybridClock(bound: .zero)
    /// The bound of the clock that survives a restart.
    package private(set) var durableBound = HybridTime.zero
    /// The number of the last start: of the wall clock, and greater each time.
    private var lastStart: UInt64 = 0
    private var buckets: [UInt16: Set<ByteString>] = [:]
    private let hasher: RowHasher

    package init(nodeID: NodeID, hasher: RowHasher = RowHasher()) {
        self.nodeID = nodeID
        self.hasher = hasher
    }

    package var summary: TreeSummary { tree.summary }

    /// What a new process finds: the same rows, and a clock that goes on from its durable bound. Gives the reading that
    /// numbers this start.
    package mutating func restart(_ wall: WallReading, forgetsBound: Bool = false) -> UInt64 {
        clock = HybridClock(bound: forgetsBound ? .zero : durableBound)
        lastStart = max(lastStart + 1, UInt64(clamping: wall.milliseconds))
        return lastStart
    }

    /// Makes durable what stamps need, in the same transaction as the rows.
    package mutating func commit() {
        if let bound = clock.reserve() { durableBound = bound }
    }

    /// The row as committed, or `nil` when the key is there already.
    package mutating func create(_ key: ByteString, text: ByteString, at wall: WallReading) -> EncodedRow? {
        guard visible(key) == nil else { return nil }
        let stamp = nextStamp(after: rows[key]?.row, at: wall)
        var row = Row.created(key: key, text: text, atMilliseconds: wall.shownMilliseconds, stamp: stamp)
        if let old = rows[key]?.row { row = old.merged(with: row) }
        return put(EncodedRow(row))
    }

    package mutating func update(
        _ key: ByteString, text: ByteString? = nil, completed: Bool? = nil, at wall: WallReading
    ) -> EncodedRow? {
        guard var row = visible(key) else { return nil }
        guard text != nil || completed != nil else { return rows[key] }
        let stamp = nextStamp(after: row, at: wall)
        if let text { row.text = Register(text, stamp) }
        if let completed { row.completed = Register(completed, stamp) }
        return put(EncodedRow(row))
    }

    package mutating func delete(_ key: ByteString, at wall: WallReading) -> EncodedRow? {
        guard let row = visible(key) else { return nil }
        return put(EncodedRow(row.deleted(at: nextStamp(after: row, at: wall))))
    }

    package mutating func answer(_ question: WalkQuestion, at wall: WallReading) -> WalkAnswer {
        switch question {
        case .merge(let incoming): return .merge(merge(incoming, at: wall))
        case .topSums: return .topSums(topSums)
        case .bucketSums(let tops): return .bucketSums(bucketSums(tops: tops))
        case .digests(let wanted, let limit): return .digests(digests(buckets: wanted, limit: limit))
        case .compare(let theirs, let limit): return .compare(compare(theirs, limit: limit))
        case .rows(let wants, let limit): return .rows(rows(wants, limit: limit))
        case .rest(let places, let limit): return .rest(rows(at: places, limit: limit))
        case .page(let after, let maxBytes): return .page(page(after: after, maxBytes: maxBytes))
        }
    }

    package var topSums: TopSums { TopSums(summary: tree.summary, sums: tree.topSums) }

    package func bucketSums(tops: [UInt8]) -> [[UInt64]] { tops.map { tree.bucketSums(top: $0) } }

    package func digests(buckets: [UInt16], limit: WalkLimit) -> [BucketDigests] {
        var answer: [BucketDigests] = []
        var budget = WalkBudget(limit)
        for bucket in buckets where answer.isEmpty || !budget.isSpent {
            answer.append(digests(bucket, &budget))
        }
        return answer
    }

    package func rows(_ wants: [BucketWant], limit: WalkLimit) -> RowBatch {
        var batch = RowBatch()
        var budget = WalkBudget(limit)
        for want in wants where batch.bucketCount == 0 || !budget.isSpent {
            _ = digests(want.bucket, &budget)
            add(want.bucket, Set(want.keyHashes), to: &batch, &budget)
        }
        return batch
    }

    package func rows(at places: [RowPlace], limit: WalkLimit) -> RowBatch {
        var batch = RowBatch()
        var budget = WalkBudget(limit)
        for (index, place) in places.enumerated() {
            let found = rows(in: UInt16(place.keyHash >> 48), with: [place.keyHash])
            guard budget.hold(found.reduce(0) { $0 + $1.bytes.count }) || batch.rows.isEmpty else {
                batch.rest = Array(places[index...])
                break
            }
            batch.rows += found
        }
        return batch
    }

    private func add(
        _ bucket: UInt16, _ hashes: Set<UInt64>, to batch: inout RowBatch, _ budget: inout WalkBudget
    ) {
        for row in rows(in: bucket, with: hashes) {
            if budget.hold(row.bytes.count) {
                batch.rows.append(row)
            } else {
                batch.rest.append(RowPlace(keyHash: hasher.keyHash(row.key), reference: 0))
            }
        }
        batch.bucketCount += 1
    }

    package mutating func merge(_ incoming: [EncodedRow], at wall: WallReading) -> MergeOutcome {
        var outcome = MergeOutcome(isNews: [])
        for encoded in incoming {
            let row = encoded.row
            let old = rows[row.key]?.row
            let merged = old?.merged(with: row) ?? row
            outcome.isNews.append(merged != old)
            guard merged != old else { continue }
            clock.observe(row.latestStamp.time, at: wall)
            outcome.noteNews(row.latestStamp, over: old?.latestStamp, at: wall)
            put(merged == row ? encoded.compacted : EncodedRow(merged))
        }
        return outcome
    }

    private mutating func nextStamp(after old: Row?, at wall: WallReading) -> Stamp {
        Stamp(time: clock.next(wall, after: old?.latestStamp.time ?? .zero), origin: nodeID)
    }

    @discardableResult
    private mutating func put(_ row: EncodedRow) -> EncodedRow {
        if let old = rows.updateValue(row, forKey: row.key) { tree.remove(hasher.digest(old)) }
        let digest = hasher.digest(row)
        tree.insert(digest)
        buckets[digest.bucket, default: []].insert(row.key)
        return row
    }

    private func digests(_ bucket: UInt16, _ budget: inout WalkBudget) -> BucketDigests {
        let found = (buckets[bucket] ?? []).compactMap { rows[$0] }
        for row in found { budget.noteRead(row.bytes.count) }
        let entries = found.map { row in
            let digest = hasher.digest(row)
            return BucketDigests.Entry(keyHash: digest.keyHash, rowHash: digest.shortRowHash)
        }
        return BucketDigests(bucket: bucket, entries: entries.sorted { $0.keyHash < $1.keyHash })
    }

    package func compare(_ theirs: [BucketDigests], limit: WalkLimit) -> Comparison {
        var comparison = Comparison(ours: RowBatch(), wanted: [])
        var budget = WalkBudget(limit)
        for their in theirs where comparison.ours.bucketCount == 0 || !budget.isSpent {
            let our = digests(their.bucket, &budget).entries.filter { their.span.contains($0.keyHash) }
            let theirHashes = Dictionary(their.entries.map { ($0.keyHash, $0.rowHash) }) { first, _ in first }
            let ourHashes = Dictionary(our.map { ($0.keyHash, $0.rowHash) }) { first, _ in first }
            let send = our.filter { theirHashes[$0.keyHash] != $0.rowHash }.map(\.keyHash)
            add(their.bucket, Set(send), to: &comparison.ours, &budget)
            let want = their.entries.filter { ourHashes[$0.keyHash] != $0.rowHash }.map(\.keyHash)
            if !want.isEmpty { comparison.wanted.append(BucketWant(bucket: their.bucket, keyHashes: want)) }
        }
        return comparison
    }

    private func rows(in bucket: UInt16, with hashes: Set<UInt64>) -> [EncodedRow] {
        (buckets[bucket] ?? []).filter { hashes.contains(hasher.keyHash($0)) }.sorted().compactMap { rows[$0] }
    }

    package func page(after: ByteString?, maxBytes: Int) -> RowPage {
        let later = sortedRows.drop { row in after.map { row.key <= $0 } ?? false }
        var page: [EncodedRow] = []
        var bytes = 0
        for row in later {
            bytes += row.bytes.count
            if !page.isEmpty && bytes > maxBytes { break }
            page.append(row)
        }
        return RowPage(rows: page, isLast: page.count == later.count)
    }
}
