import Foundation
import Replication
import Transport

/// The plainest replica store that is right: a dictionary. The oracle for the others.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class MemoryReplicaStore: ReplicaStore, @unchecked Sendable {
    let nodeID: NodeID
    private let lock = NSLock()
    private let hasher: RowHasher
    private let wallClock: @Sendable () -> Int64
    private var clock = HybridClock(bound: .zero)
    private var rows: [ByteString: Row] = [:]
    /// By bucket. A key that came once never goes: its tombstone stays.
    private var keys: [UInt16: Set<ByteString>] = [:]
    private var tree = HashTree()
    private var committedRows: [Row] = []

    init(nodeID: NodeID, hasher: RowHasher = RowHasher(), wallClock: @escaping @Sendable () -> Int64) {
        self.nodeID = nodeID
        self.hasher = hasher
        self.wallClock = wallClock
    }

    var summary: TreeSummary { lock.withLock { tree.summary } }
    var todoCount: Int { lock.withLock { rows.values.count { !$0.isDeleted } } }
    func takeCommitted() -> [Row] {
        lock.withLock {
            defer { committedRows = [] }; return committedRows
        }
    }

    func create(_ key: ByteString, _ text: ByteString) -> Bool {
        lock.withLock {
            let old = rows[key]
            guard old?.isDeleted ?? true else { return false }
            let row = Row.created(key: key, text: text, atMilliseconds: wallClock(), stamp: stamp())
            putLocal(old.map { row.merged(with: $0) } ?? row)
            return true
        }
    }

    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) -> Bool {
        lock.withLock {
            guard var row = rows[key], !row.isDeleted else { return false }
            guard text != nil || isCompleted != nil else { return true }
            let stamp = stamp()
            if let text { row.text = Register(text, stamp) }
            if let isCompleted { row.completed = Register(isCompleted, stamp) }
            putLocal(row)
            return true
        }
    }

    func delete(_ key: ByteString) -> Bool {
        lock.withLock {
            guard let row = rows[key], !row.isDeleted else { return false }
            putLocal(row.deleted(at: stamp()))
            return true
        }
    }

    func answer(_ request: StoreRequest) async throws -> StoreAnswer {
        lock.withLock {
            switch request {
            case .merge(let rows, let latest): .merge(merge(rows, latest))
            case .topSums: .topSums(tree.summary, tree.topSums)
            case .bucketSums(let tops): .bucketSums(tops.map { tree.bucketSums(top: $0) })
            case .digests(let buckets):
                .digests(buckets.map { BucketDigests(bucket: $0, entries: digested($0).map(\.entry)) })
            case .compare(let theirs): .compare(compare(theirs))
            case .rows(let wants):
                .rows(
                    wants.flatMap { want in
                        digested(want.bucket).filter { want.keyHashes.contains($0.entry.keyHash) }.map(\.row)
                    })
            case .page(let after, let maxBytes): page(after, maxBytes)
            }
        }
    }

    private func merge(_ incoming: [Row], _ latest: HybridTime) -> MergeOutcome {
        var outcome = MergeOutcome(isNews: [])
        for row in incoming {
            let time = row.latestStamp.time
            guard time <= latest else {
                outcome.aheadCount += 1
                outcome.furthestAhead = max(outcome.furthestAhead ?? .zero, time)
                outcome.isNews.append(false)
                continue
            }
            let merged = rows[row.key]?.merged(with: row) ?? row
            outcome.isNews.append(merged != rows[row.key])
            if merged != rows[row.key] {
                clock.observe(time)
                put(merged)
            }
        }
        return outcome
    }

    private func compare(_ theirs: [BucketDigests]) -> Comparison {
        var comparison = Comparison(rows: [], wanted: [])
        for their in theirs {
            let ours = digested(their.bucket)
            comparison.rows += ours.filter { !their.entries.contains($0.entry) }.map(\.row)
            let wanted = their.entries.filter { entry in !ours.contains { $0.entry == entry } }.map(\.keyHash)
            if !wanted.isEmpty { comparison.wanted.append(BucketWant(bucket: their.bucket, keyHashes: wanted)) }
        }
        return comparison
    }

    private func page(_ after: ByteString?, _ maxBytes: Int) -> StoreAnswer {
        let sorted = rows.values.filter { row in after.map { row.key > $0 } ?? true }.sorted { $0.key < $1.key }
        var bytes = 0
        let page = sorted.prefix { row in
            defer { bytes += RowCodec.encodedBytes(row) }
            return bytes == 0 || bytes + RowCodec.encodedBytes(row) <= maxBytes
        }
        return .page(Array(page), isLast: page.count == sorted.count)
    }

    private func digested(_ bucket: UInt16) -> [(row: Row, entry: BucketDigests.Entry)] {
        keys[bucket, default: []].compactMap { rows[$0] }.map { row in
            let digest = hasher.digest(row)
            return (row, BucketDigests.Entry(keyHash: digest.keyHash, rowHash: digest.shortRowHash))
        }.sorted { $0.1.keyHash < $1.1.keyHash }
    }

    private func stamp() -> Stamp { Stamp(time: clock.next(wallMilliseconds: wallClock()), origin: nodeID) }

    private func putLocal(_ row: Row) {
        put(row)
        committedRows.append(row)
    }

    private func put(_ row: Row) {
        if let old = rows[row.key] { tree.remove(hasher.digest(old)) }
        let digest = hasher.digest(row)
        tree.insert(digest)
        keys[digest.bucket, default: []].insert(row.key)
        rows[row.key] = row
    }
}
