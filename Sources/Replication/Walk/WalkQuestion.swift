/// What a walk asks the store of its node: the calls of `ReplicaStore` as data, since a walk is without I/O. The driver of
/// the walk makes the call (`ReplicaStore.answer` in `Store`).
package enum WalkQuestion: Hashable, Sendable {
    case merge([EncodedRow])
    case topSums
    case bucketSums(tops: [UInt8])
    case digests(buckets: [UInt16], WalkLimit)
    case compare([BucketDigests], WalkLimit)
    case rows([BucketWant], WalkLimit)
    case rest([RowPlace], WalkLimit)
    case page(after: ByteString?, maxBytes: Int)
}

/// The answer to the question of the same name.
package enum WalkAnswer: Hashable, Sendable {
    case merge(MergeOutcome)
    case topSums(TopSums)
    case bucketSums([[UInt64]])
    case digests([BucketDigests])
    case compare(Comparison)
    case rows(RowBatch)
    case rest(RowBatch)
    case page(RowPage)
}
