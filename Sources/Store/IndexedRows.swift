internal import Replication

/// Answers for the replication engine, from the index in memory and, where rows are wanted, from a reader.
struct IndexedRows: Sendable {
    let shared: SharedIndex
    let hasher: RowHasher

    var topSums: TopSums { shared.read { TopSums(summary: $0.tree.summary, sums: $0.tree.topSums) } }

    func bucketSums(tops: [UInt8]) -> [[UInt64]] {
        shared.read { index in tops.map { index.tree.bucketSums(top: $0) } }
    }

    func digests(
        _ numbers: [UInt16], _ limit: WalkLimit, _ reader: Reader
    ) throws(StoreError) -> [BucketDigests] {
        try reader.digests(buckets(numbers, limit), limit, hasher)
    }

    func compare(
        _ theirs: [BucketDigests], _ limit: WalkLimit, _ reader: Reader
    ) throws(StoreError) -> Comparison {
        try reader.compare(theirs, buckets(theirs.map(\.bucket), limit), limit, hasher)
    }

    func rows(_ wants: [BucketWant], _ limit: WalkLimit, _ reader: Reader) throws(StoreError) -> RowBatch {
        try reader.rows(wants, buckets(wants.map(\.bucket), limit), limit, hasher)
    }

    func rows(at places: [RowPlace], _ limit: WalkLimit, _ reader: Reader) throws(StoreError) -> RowBatch {
        try reader.rows(at: places, limit, hasher)
    }

    /// The first of these buckets: as many as hold `maxRows` rows together, at least one.
    private func buckets(_ numbers: [UInt16], _ limit: WalkLimit) -> [Reader.Bucket] {
        shared.read { index in
            var (buckets, rowCount) = ([Reader.Bucket](), 0)
            for number in numbers where buckets.isEmpty || rowCount < limit.maxRows {
                buckets.append(Reader.Bucket(number: number, references: index.references(bucket: number)))
                rowCount += buckets[buckets.count - 1].references.count
            }
            return buckets
        }
    }
}
