package import Replication

extension Store {
    /// Of more than 2,000 rows or 4 MiB, a merge is written in several transactions, so that it holds up nobody; when it
    /// fails, parts of it may be in, and merging it again is harmless.
    package func merge(_ rows: [EncodedRow]) async throws(StoreError) -> MergeOutcome {
        let result: Result<MergeOutcome, StoreError> = await withCheckedContinuation { continuation in
            writer.queue.submit(MergeRequest(rows: rows, reply: continuation))
        }
        return try result.get()
    }

    /// From memory, as are the sums of buckets.
    package func topSums() -> TopSums {
        shared.read { TopSums(summary: $0.tree.summary, sums: $0.tree.topSums) }
    }

    package func bucketSums(tops: [UInt8]) -> [[UInt64]] {
        shared.read { index in tops.map { index.tree.bucketSums(top: $0) } }
    }

    /// Rows come from the reader threads.
    package func digests(buckets numbers: [UInt16]) async throws(StoreError) -> [BucketDigests] {
        let (hasher, buckets) = (hasher, buckets(numbers))
        return try await readers.read(.long) { (reader) throws(StoreError) in try reader.digests(buckets, hasher) }
    }

    package func compare(_ theirs: [BucketDigests]) async throws(StoreError) -> Comparison {
        let (hasher, buckets) = (hasher, buckets(theirs.map(\.bucket)))
        return try await readers.read(.long) { (reader) throws(StoreError) in
            try reader.compare(theirs, buckets, hasher)
        }
    }

    package func rows(_ wants: [BucketWant]) async throws(StoreError) -> [EncodedRow] {
        let (hasher, buckets) = (hasher, buckets(wants.map(\.bucket)))
        return try await readers.read(.long) { (reader) throws(StoreError) in
            try reader.rows(wants, buckets, hasher)
        }
    }

    package func page(after: ByteString?, maxBytes: Int) async throws(StoreError) -> RowPage {
        try await readers.read(.long) { (reader) throws(StoreError) in
            try reader.page(after: after, maxBytes: maxBytes)
        }
    }

    private func buckets(_ numbers: [UInt16]) -> [Reader.Bucket] {
        shared.read { index in
            numbers.map { Reader.Bucket(number: $0, references: index.references(bucket: $0)) }
        }
    }
}
