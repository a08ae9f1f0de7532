internal import Replication

/// Answers for the replication engine, from the index in memory and, where rows are wanted, from a reader.
struct IndexedRows: Sendable {
    let shared: SharedIndex
    let hasher: RowHasher

    var topSums: TopSums { shared.read { TopSums(summary: $0.tree.summary, sums: $0.tree.topSums) } }

    func bucketSums(tops: [UInt8]) -> [[UInt64]] {
        shared.read { index in tops.map { index.tree.bucketSums(top: $0) } }
    }

    func digests(_ numbers: [UInt16], _ reader: Reader) throws(StoreError) -> [BucketDigests] {
        try reader.digests(buckets(numbers), hasher)
    }

    func compare(_ theirs: [BucketDigests], _ reader: Reader) throws(StoreError) -> Comparison {
        try reader.compare(theirs, buckets(theirs.map(\.bucket)), hasher)
    }

    func rows(_ wants: [BucketWant], _ reader: Reader) throws(StoreError) -> [EncodedRow] {
        try reader.rows(wants, buckets(wants.map(\.bucket)), hasher)
    }

    private func buckets(_ numbers: [UInt16]) -> [Reader.Bucket] {
        shared.read { index in
            numbers.map { Reader.Bucket(number: $0, references: index.references(bucket: $0)) }
        }
    }
}
