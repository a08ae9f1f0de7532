package import Replication

extension Store {
    /// Of more than 2,000 rows or 4 MiB, a merge is written in several transactions, so that it holds up nobody; when it
    /// fails, parts of it may be in, and merging it again is harmless.
    package func merge(_ rows: [EncodedRow]) async throws(StoreError) -> MergeOutcome {
        let result: Result<MergeOutcome, StoreError> = await withCheckedContinuation { continuation in
            writer.queue.submit(MergeRequest(rows: rows) { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    /// From memory, as are the sums of buckets.
    package func topSums() -> TopSums { rows.topSums }

    package func bucketSums(tops: [UInt8]) -> [[UInt64]] { rows.bucketSums(tops: tops) }

    /// Rows come from the reader threads.
    package func digests(buckets: [UInt16], limit: WalkLimit) async throws(StoreError) -> [BucketDigests] {
        let rows = rows
        return try await readers.read(.long) { (reader) throws(StoreError) in try rows.digests(buckets, limit, reader) }
    }

    package func compare(_ theirs: [BucketDigests], limit: WalkLimit) async throws(StoreError) -> Comparison {
        let rows = rows
        return try await readers.read(.long) { (reader) throws(StoreError) in try rows.compare(theirs, limit, reader) }
    }

    package func rows(_ wants: [BucketWant], limit: WalkLimit) async throws(StoreError) -> RowBatch {
        let rows = rows
        return try await readers.read(.long) { (reader) throws(StoreError) in try rows.rows(wants, limit, reader) }
    }

    package func rows(at places: [RowPlace], limit: WalkLimit) async throws(StoreError) -> RowBatch {
        let rows = rows
        return try await readers.read(.long) { (reader) throws(StoreError) in try rows.rows(at: places, limit, reader) }
    }

    package func page(after: ByteString?, maxBytes: Int) async throws(StoreError) -> RowPage {
        try await readers.read(.long) { (reader) throws(StoreError) in
            try reader.page(after: after, maxBytes: maxBytes)
        }
    }
}
