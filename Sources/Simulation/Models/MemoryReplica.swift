package import Replication
package import Transport

/// The rows of one node in memory: the plainest thing that answers every `StoreRequest`. The oracle of the store's tests,
/// and the database of simulated nodes.
package struct MemoryReplica: Sendable {
    package let nodeID: NodeID
    package private(set) var rows: [ByteString: Row] = [:]
    package private(set) var tree = HashTree()
    package private(set) var clock = HybridClock(bound: .zero)
    /// The bound of the clock that survives a restart.
    package private(set) var durableBound = HybridTime.zero
    private var buckets: [UInt16: Set<ByteString>] = [:]
    private let hasher: RowHasher

    package init(nodeID: NodeID, hasher: RowHasher = RowHasher()) {
        self.nodeID = nodeID
        self.hasher = hasher
    }

    package var summary: TreeSummary { tree.summary }

    /// Rows in key order.
    package var sortedRows: [Row] { rows.values.sorted { $0.key < $1.key } }

    package func visible(_ key: ByteString) -> Row? {
        guard let row = rows[key], !row.isDeleted else { return nil }
        return row
    }

    /// What a new process finds: the same rows, and a clock that goes on from its durable bound. Gives the reading that
    /// numbers this start.
    package mutating func restart(wallMilliseconds: Int64, forgetsBound: Bool = false) -> HybridTime {
        var latest = HybridTime.zero
        for row in rows.values { latest = max(latest, row.latestStamp.time) }
        clock = HybridClock(bound: forgetsBound ? .zero : durableBound, latest: latest)
        let start = clock.next(wallMilliseconds: wallMilliseconds)
        commit()
        return start
    }

    /// Makes durable what stamps need, in the same transaction as the rows.
    package mutating func commit() {
        if let bound = clock.reserve() { durableBound = bound }
    }

    /// The row as committed, or `nil` when the key is there already.
    package mutating func create(_ key: ByteString, text: ByteString, wallMilliseconds: Int64) -> Row? {
        guard visible(key) == nil else { return nil }
        let stamp = nextStamp(wallMilliseconds)
        var row = Row.created(key: key, text: text, atMilliseconds: wallMilliseconds, stamp: stamp)
        if let old = rows[key] { row = old.merged(with: row) }
        put(row)
        return row
    }

    package mutating func update(
        _ key: ByteString, text: ByteString? = nil, completed: Bool? = nil, wallMilliseconds: Int64
    ) -> Row? {
        guard var row = visible(key) else { return nil }
        guard text != nil || completed != nil else { return row }
        let stamp = nextStamp(wallMilliseconds)
        if let text { row.text = Register(text, stamp) }
        if let completed { row.completed = Register(completed, stamp) }
        put(row)
        return row
    }

    package mutating func delete(_ key: ByteString, wallMilliseconds: Int64) -> Row? {
        guard let row = visible(key)?.deleted(at: nextStamp(wallMilliseconds)) else { return nil }
        put(row)
        return row
    }

    package mutating func answer(_ request: StoreRequest) -> StoreAnswer {
        switch request {
        case .merge(let incoming, let latest): return .merge(merge(incoming, latest: latest))
        case .topSums: return .topSums(tree.summary, tree.topSums)
        case .bucketSums(let tops): return .bucketSums(tops.map { tree.bucketSums(top: $0) })
        case .digests(let wanted): return .digests(wanted.map(digests))
        case .compare(let theirs): return .compare(compare(theirs))
        case .rows(let wants): return .rows(wants.flatMap { rows(in: $0.bucket, with: Set($0.keyHashes)) })
        case .page(let after, let maxBytes): return page(after: after, maxBytes: maxBytes)
        }
    }

    private mutating func merge(_ incoming: [Row], latest: HybridTime) -> MergeOutcome {
        var outcome = MergeOutcome(isNews: [])
        for row in incoming {
            let time = row.latestStamp.time
            guard time <= latest else {
                outcome.isNews.append(false)
                outcome.aheadCount += 1
                outcome.furthestAhead = max(outcome.furthestAhead ?? row.latestStamp, row.latestStamp)
                continue
            }
            let merged = rows[row.key]?.merged(with: row) ?? row
            let isNews = rows[row.key] != merged
            outcome.isNews.append(isNews)
            guard isNews else { continue }
            clock.observe(time)
            put(merged)
        }
        return outcome
    }

    private mutating func nextStamp(_ wallMilliseconds: Int64) -> Stamp {
        Stamp(time: clock.next(wallMilliseconds: wallMilliseconds), origin: nodeID)
    }

    private mutating func put(_ row: Row) {
        if let old = rows[row.key] { tree.remove(hasher.digest(old)) }
        let digest = hasher.digest(row)
        tree.insert(digest)
        rows[row.key] = row
        buckets[digest.bucket, default: []].insert(row.key)
    }

    private func digests(_ bucket: UInt16) -> BucketDigests {
        let entries = (buckets[bucket] ?? []).compactMap { rows[$0] }.map { row in
            let digest = hasher.digest(row)
            return BucketDigests.Entry(keyHash: digest.keyHash, rowHash: digest.shortRowHash)
        }
        return BucketDigests(bucket: bucket, entries: entries.sorted { $0.keyHash < $1.keyHash })
    }

    private func compare(_ theirs: [BucketDigests]) -> Comparison {
        var comparison = Comparison(rows: [], wanted: [])
        for their in theirs {
            let our = digests(their.bucket).entries
            let theirHashes = Dictionary(their.entries.map { ($0.keyHash, $0.rowHash) }) { first, _ in first }
            let ourHashes = Dictionary(our.map { ($0.keyHash, $0.rowHash) }) { first, _ in first }
            let send = our.filter { theirHashes[$0.keyHash] != $0.rowHash }.map(\.keyHash)
            comparison.rows += rows(in: their.bucket, with: Set(send))
            let want = their.entries.filter { ourHashes[$0.keyHash] != $0.rowHash }.map(\.keyHash)
            if !want.isEmpty { comparison.wanted.append(BucketWant(bucket: their.bucket, keyHashes: want)) }
        }
        return comparison
    }

    private func rows(in bucket: UInt16, with hashes: Set<UInt64>) -> [Row] {
        (buckets[bucket] ?? []).filter { hashes.contains(hasher.keyHash($0)) }.sorted().compactMap { rows[$0] }
    }

    private func page(after: ByteString?, maxBytes: Int) -> StoreAnswer {
        let later = sortedRows.drop { row in after.map { row.key <= $0 } ?? false }
        var page: [Row] = []
        var bytes = 0
        for row in later {
            bytes += RowCodec.encodedBytes(row)
            if !page.isEmpty && bytes > maxBytes { break }
            page.append(row)
        }
        return .page(page, isLast: page.count == later.count)
    }
}
