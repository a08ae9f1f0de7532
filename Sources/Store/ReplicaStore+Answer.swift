package import Replication

extension ReplicaStore {
    /// Asks the store what a walk wants to know. Throws what the store throws.
    package func answer(_ question: WalkQuestion) async throws -> WalkAnswer {
        switch question {
        case .merge(let rows): .merge(try await merge(rows))
        case .topSums: .topSums(try await topSums())
        case .bucketSums(let tops): .bucketSums(try await bucketSums(tops: tops))
        case .digests(let buckets, let limit): .digests(try await digests(buckets: buckets, limit: limit))
        case .compare(let theirs, let limit): .compare(try await compare(theirs, limit: limit))
        case .rows(let wants, let limit): .rows(try await rows(wants, limit: limit))
        case .rest(let places, let limit): .rest(try await rows(at: places, limit: limit))
        case .page(let after, let maxBytes): .page(try await page(after: after, maxBytes: maxBytes))
        }
    }
}
