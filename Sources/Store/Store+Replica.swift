package import Replication

extension Store {
    /// Sums come from memory, rows from the reader threads. A merge of more than 2,000 rows or 4 MiB is written in
    /// several transactions, so that it holds up nobody; when it fails, parts of it may be in, and merging it again is
    /// harmless.
    package func answer(_ request: StoreRequest) async throws(StoreError) -> StoreAnswer {
        let hasher = hasher
        switch request {
        case .merge(let rows, let latest):
            return .merge(try await merge(rows, latest: latest))
        case .topSums:
            return shared.read { .topSums($0.tree.summary, $0.tree.topSums) }
        case .bucketSums(let tops):
            return shared.read { index in .bucketSums(tops.map { index.tree.bucketSums(top: $0) }) }
        case .digests(let numbers):
            let buckets = buckets(numbers)
            return .digests(
                try await readers.read(.long) { (reader) throws(StoreError) in try reader.digests(buckets, hasher) })
        case .compare(let theirs):
            let buckets = buckets(theirs.map(\.bucket))
            return .compare(
                try await readers.read(.long) { (reader) throws(StoreError) in
                    try reader.compare(theirs, buckets, hasher)
                })
        case .rows(let wants):
            let buckets = buckets(wants.map(\.bucket))
            return .rows(
                try await readers.read(.long) { (reader) throws(StoreError) in
                    try reader.rows(wants, buckets, hasher)
                })
        case .page(let after, let maxBytes):
            let page = try await readers.read(.long) { (reader) throws(StoreError) in
                try reader.page(after: after, maxBytes: maxBytes)
            }
            return .page(page.rows, isLast: page.isLast)
        }
    }

    private func merge(_ rows: [Row], latest: HybridTime) async throws(StoreError) -> MergeOutcome {
        let result: Result<MergeOutcome, StoreError> = await withCheckedContinuation { continuation in
            writer.queue.submit(MergeRequest(rows: rows, latest: latest, reply: continuation))
        }
        return try result.get()
    }

    private func buckets(_ numbers: [UInt16]) -> [Reader.Bucket] {
        shared.read { index in
            numbers.map { Reader.Bucket(number: $0, references: index.references(bucket: $0)) }
        }
    }
}
