/// The rows of one node, as the replication engine asks for them.
///
/// The engine is without I/O: it emits a `StoreRequest` and is given the `StoreAnswer` later. SQLite answers in `Store`,
/// a simulated disk answers in the simulator, and both pass the same tests.
package protocol ReplicaStore: Sendable {
    /// Answers with the case that has the request's name. A failure leaves the store as it was, but for rows of a large
    /// merge that are in already; merging them again does no harm.
    func answer(_ request: StoreRequest) async throws -> StoreAnswer
}

package enum StoreRequest: Hashable, Sendable {
    /// Merge these rows, durable before the answer; many rows may take several transactions. Rows with a stamp later than `latest` are left out: their writer's
    /// clock is too far ahead.
    case merge([Row], latest: HybridTime)
    /// Root, count and the 256 sums below the root, of one moment.
    case topSums
    /// The 256 bucket sums below each of these tops.
    case bucketSums(tops: [UInt8])
    /// Digests of all rows in each of these buckets.
    case digests(buckets: [UInt16])
    /// Hold a peer's digests against our rows of the same buckets.
    case compare([BucketDigests])
    /// The rows that a peer wants; those that are gone meanwhile are left out.
    case rows([BucketWant])
    /// Rows with keys after `after`, in key order, tombstones among them, until `maxBytes` are reached: at least one row,
    /// and all of one page from one moment.
    case page(after: ByteString?, maxBytes: Int)
}

package enum StoreAnswer: Hashable, Sendable {
    case merge(MergeOutcome)
    case topSums(TreeSummary, [UInt64])
    case bucketSums([[UInt64]])
    case digests([BucketDigests])
    case compare(Comparison)
    case rows([Row])
    case page([Row], isLast: Bool)
}

/// What a merge did.
package struct MergeOutcome: Hashable, Sendable {
    /// For each row in the order given: did it change anything here?
    package var isNews: [Bool]
    /// Rows left out because their stamps were later than the limit.
    package var aheadCount: Int
    /// The greatest stamp among those left out: whose clock it is.
    package var furthestAhead: Stamp?

    package init(isNews: [Bool], aheadCount: Int = 0, furthestAhead: Stamp? = nil) {
        self.isNews = isNews
        self.aheadCount = aheadCount
        self.furthestAhead = furthestAhead
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
    package var rows: [Row]
    /// The peer's that we lack or have otherwise.
    package var wanted: [BucketWant]

    package init(rows: [Row], wanted: [BucketWant]) {
        self.rows = rows
        self.wanted = wanted
    }
}
