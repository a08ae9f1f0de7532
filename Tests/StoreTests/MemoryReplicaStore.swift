import Foundation
import Simulation
import Replication
import TestSupport
import Transport

/// The replica in memory behind the interface of a store: the oracle for the real one.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class MemoryReplicaStore: ReplicaStore, @unchecked Sendable {
    let nodeID: NodeID
    private let lock = NSLock()
    private let wallClock: @Sendable () -> WallReading
    private var replica: MemoryReplica
    private var committedRows: [EncodedRow] = []

    init(nodeID: NodeID, hasher: RowHasher = RowHasher(), wallClock: @escaping @Sendable () -> WallReading) {
        self.nodeID = nodeID
        replica = MemoryReplica(nodeID: nodeID, hasher: hasher)
        self.wallClock = wallClock
    }

    var summary: TreeSummary { lock.withLock { replica.summary } }
    var todoCount: Int { lock.withLock { replica.rows.values.count { !$0.row.isDeleted } } }

    func takeCommitted() -> [EncodedRow] {
        lock.withLock {
            defer { committedRows = [] }
            return committedRows
        }
    }

    func create(_ key: ByteString, _ text: ByteString) -> Bool {
        write { $0.create(key, text: text, at: $1) }
    }

    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) -> Bool {
        guard text != nil || isCompleted != nil else { return lock.withLock { replica.visible(key) != nil } }
        return write { $0.update(key, text: text, completed: isCompleted, at: $1) }
    }

    func delete(_ key: ByteString) -> Bool { write { $0.delete(key, at: $1) } }

    func merge(_ rows: [EncodedRow]) -> MergeOutcome {
        lock.withLock { replica.merge(rows, at: wallClock()) }
    }
    func topSums() -> TopSums { lock.withLock { replica.topSums } }
    func bucketSums(tops: [UInt8]) -> [[UInt64]] { lock.withLock { replica.bucketSums(tops: tops) } }
    func digests(buckets: [UInt16], limit: WalkLimit) -> [BucketDigests] {
        lock.withLock { replica.digests(buckets: buckets, limit: limit) }
    }
    func compare(_ theirs: [BucketDigests], limit: WalkLimit) -> Comparison {
        lock.withLock { replica.compare(theirs, limit: limit) }
    }
    func rows(_ wants: [BucketWant], limit: WalkLimit) -> RowBatch {
        lock.withLock { replica.rows(wants, limit: limit) }
    }
    func rows(at places: [RowPlace], limit: WalkLimit) -> RowBatch {
        lock.withLock { replica.rows(at: places, limit: limit) }
    }
    func page(after: ByteString?, maxBytes: Int) -> RowPage {
        lock.withLock { replica.page(after: after, maxBytes: maxBytes) }
    }

    private func write(_ body: (inout MemoryReplica, WallReading) -> EncodedRow?) -> Bool {
        lock.withLock {
            guard let row = body(&replica, wallClock()) else { return false }
            committedRows.append(row)
            return true
        }
    }
}
