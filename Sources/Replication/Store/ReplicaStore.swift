/// The rows of one node, as replication asks for them. SQLite answers in `Store`, a replica in memory in tests; both pass
/// the same tests.
package protocol ReplicaStore: Sendable {
    /// Merges these rows, durable before the answer; many rows may take several transactions. The store's clock does not
    /// follow stamps that are ahead of the wall. A failure leaves the store as it was, but for rows of
    /// a large merge that are in already; merging them again does no harm.
    func merge(_ rows: [EncodedRow]) async throws -> MergeOutcome
    /// Root, count and the 256 sums below the root, of one moment.
    func topSums() async throws -> TopSums
    /// The 256 bucket sums below each of these tops.
    func bucketSums(tops: [UInt8]) async throws -> [[UInt64]]
    /// Digests of all rows in each of these buckets.
    func digests(buckets: [UInt16]) async throws -> [BucketDigests]
    /// Holds a peer's digests against our rows of the same buckets.
    func compare(_ theirs: [BucketDigests]) async throws -> Comparison
    /// The rows that a peer wants; those that are gone meanwhile are left out.
    func rows(_ wants: [BucketWant]) async throws -> [EncodedRow]
    /// Rows with keys after `after`, in key order, tombstones among them, until `maxBytes` are reached: at least one row,
    /// and all of one page from one moment.
    func page(after: ByteString?, maxBytes: Int) async throws -> RowPage
}

/// What a merge did.
package struct MergeOutcome: Hashable, Sendable {
    /// For each row in the order given: did it change anything here?
    package var isNews: [Bool]
    /// Rows that are news, with stamps further ahead of the wall than right clocks make them.
    package var aheadCount: Int
    /// The greatest stamp among those: whose clock it was.
    package var furthestAhead: Stamp?
    /// Rows left out for another reason: they break a rule of the table, or another program has spoilt the row here.
    package var passedOverCount: Int

    package init(isNews: [Bool], aheadCount: Int = 0, furthestAhead: Stamp? = nil, passedOverCount: Int = 0) {
        self.isNews = isNews
        self.aheadCount = aheadCount
        self.furthestAhead = furthestAhead
        self.passedOverCount = passedOverCount
    }

    /// A row with this greatest stamp was news, over one with `stored`. Who writes over a row that is ahead has to stamp so,
    /// and a clock that nobody confirms may be the one that is wrong.
    package mutating func noteNews(_ stamp: Stamp, over stored: Stamp?, at wall: WallReading) {
        guard wall.isConfirmed, wall.isAhead(stamp.time), !(stored.map { wall.isAhead($0.time) } ?? false) else {
            return
        }
        aheadCount += 1
        furthestAhead = max(furthestAhead ?? stamp, stamp)
    }
}

/// The top of a hash tree: its summary, and the 256 sums below the root.
package struct TopSums: Hashable, Sendable {
    package let summary: TreeSummary
    package let sums: [UInt64]

    package init(summary: TreeSummary, sums: [UInt64]) {
        self.summary = summary
        self.sums = sums
    }
}

/// The rows of one bucket in short form: hash of the key, shortened hash of the row; ordered by the hash of the key.
package struct BucketDigests: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var keyHash: UInt64
        package var rowHash: UInt64

        package init(keyHash: UInt64, rowHash: UInt64) {
            self.keyHash = keyHash
            self.rowHash = rowHash
        }
    }

    package var bucket: UInt16
    package var entries: [Entry]

    package init(bucket: UInt16, entries: [Entry]) {
        self.bucket = bucket
        self.entries = entries
    }
}

/// Rows of one bucket that a peer asks for, by the hash of the key.
package struct BucketWant: Hashable, Sendable {
    package var bucket: UInt16
    package var keyHashes: [UInt64]

    package init(bucket: UInt16, keyHashes: [UInt64]) {
        self.bucket = bucket
        self.keyHashes = keyHashes
    }
}

/// How our rows of some buckets differ from a peer's digests.
package struct Comparison: Hashable, Sendable {
    /// Ours that the peer lacks or has otherwise.
    package var rows: [EncodedRow]
    /// The peer's that we lack or have otherwise.
    package var wanted: [BucketWant]

    package init(rows: [EncodedRow], wanted: [BucketWant]) {
        self.rows = rows
        self.wanted = wanted
    }
}

/// Rows in key order.
package struct RowPage: Hashable, Sendable {
    package var rows: [EncodedRow]
    /// No row comes after these.
    package var isLast: Bool

    package init(rows: [EncodedRow], isLast: Bool) {
        self.rows = rows
        self.isLast = isLast
    }
}
