package import Replication

extension ReplicaStore {
    /// Asks the store what a walk wants to know. Throws what the store throws.
    package func answer(_ question: WalkQuestion) async throws -> WalkAnswer {
        switch question {
        case .merge(let rows): .merge(try await merge(rows))
        case .topSums: .topSums(try await topSums())
        case .bucketSums(let tops): .bucketSums(try await bucketSums(tops: tops))
        case .digests(let buckets): .digests(try await digests(buckets: buckets))
        case .compare(let theirs): .compare(try await compare(theirs))
        case .rows(let wants): .rows(try await rows(wants))
        case .page(let after, let maxBytes): .page(try await page(after: after, maxBytes: maxBytes))
        }
    }
}
