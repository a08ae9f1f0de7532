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
    /// Digests of all rows in the first of these buckets: of at least one, and of no more than `limit` allows.
    func digests(buckets: [UInt16], limit: WalkLimit) async throws -> [BucketDigests]
    /// Holds a peer's digests against our rows of the same buckets: of the first of them, as above.
    func compare(_ theirs: [BucketDigests], limit: WalkLimit) async throws -> Comparison
    /// The rows that a peer wants, of the first of these buckets, as above; those that are gone meanwhile are left out.
    func rows(_ wants: [BucketWant], limit: WalkLimit) async throws -> RowBatch
    /// The first of the rows that did not fit into an earlier answer, at least one; those that are gone or have moved
    /// meanwhile are left out.
    func rows(at places: [RowPlace], limit: WalkLimit) async throws -> RowBatch
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

/// How much one answer to a walk may read and hold, so that no walk holds more than a part of the database, whatever its
/// peer asks for.
///
/// A bucket is looked through as a whole: an answer ends with the first bucket with which it has read `maxRows` rows or
/// `maxBytes` bytes. Of rows it holds `maxBytes`, or one row that is larger; for further ones of its last bucket it has their
/// places. Besides it holds 24 bytes a row of its buckets.
package struct WalkLimit: Hashable, Sendable {
    package var maxRows = 4_096
    package var maxBytes = 2 * 1024 * 1024

    package init() {}
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
    /// Which hashes of keys these are all of: a large bucket goes in several parts.
    package var span: ClosedRange<UInt64>

    /// `span`: all of the bucket where it is `nil`.
    package init(bucket: UInt16, entries: [Entry], span: ClosedRange<UInt64>? = nil) {
        self.bucket = bucket
        self.entries = entries
        self.span = span ?? Self.whole(bucket)
    }

    /// The hashes of keys that fall into a bucket.
    package static func whole(_ bucket: UInt16) -> ClosedRange<UInt64> {
        let first = UInt64(bucket) << 48
        return first...(first | 0xffff_ffff_ffff)
    }

    /// In parts of about `maxEntries` entries: keys with one hash stay together.
    package func parts(of maxEntries: Int) -> [BucketDigests] {
        var parts: [BucketDigests] = []
        var rest = entries[...]
        var first = span.lowerBound
        while rest.count > maxEntries {
            let last = rest[rest.startIndex + maxEntries - 1].keyHash
            guard last < span.upperBound, last >= first else { break }
            let end = rest.firstIndex { $0.keyHash > last } ?? rest.endIndex
            parts.append(BucketDigests(bucket: bucket, entries: Array(rest[..<end]), span: first...last))
            rest = rest[end...]
            first = last + 1
        }
        parts.append(BucketDigests(bucket: bucket, entries: Array(rest), span: first...span.upperBound))
        return parts
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

/// Where a row is that did not fit into an answer.
package struct RowPlace: Hashable, Sendable {
    package var keyHash: UInt64
    /// What the store finds the row by.
    package var reference: Int64

    package init(keyHash: UInt64, reference: Int64) {
        self.keyHash = keyHash
        self.reference = reference
    }
}

/// Rows as far as they fit.
package struct RowBatch: Hashable, Sendable {
    package var rows: [EncodedRow]
    /// Those that did not fit.
    package var rest: [RowPlace]
    /// How many of the buckets that were asked for this is all of.
    package var bucketCount: Int

    package init(rows: [EncodedRow] = [], rest: [RowPlace] = [], bucketCount: Int = 0) {
        self.rows = rows
        self.rest = rest
        self.bucketCount = bucketCount
    }
}

/// How our rows of some buckets differ from a peer's digests.
package struct Comparison: Hashable, Sendable {
    /// Ours that the peer lacks or has otherwise.
    package var ours: RowBatch
    /// The peer's that we lack or have otherwise.
    package var wanted: [BucketWant]

    package init(ours: RowBatch, wanted: [BucketWant]) {
        self.ours = ours
        self.wanted = wanted
    }
}

/// What an answer to a walk has read and holds, beside its limit.
package struct WalkBudget {
    package let limit: WalkLimit
    private var readRows = 0
    private var readBytes = 0
    private var heldBytes = 0

    package init(_ limit: WalkLimit) { self.limit = limit }

    /// Whether no further bucket is to be read.
    package var isSpent: Bool { readRows >= limit.maxRows || readBytes >= limit.maxBytes }

    /// A row of so many bytes was read.
    package mutating func noteRead(_ bytes: Int) {
        readRows += 1
        readBytes += bytes
    }

    /// Whether the answer may hold so many bytes more; it does then.
    package mutating func hold(_ bytes: Int) -> Bool {
        guard heldBytes + bytes <= limit.maxBytes else { return false }
        heldBytes += bytes
        return true
    }

    /// A row that was held is not part of the answer.
    package mutating func release(_ bytes: Int) { heldBytes -= bytes }
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
