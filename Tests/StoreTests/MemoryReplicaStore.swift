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
    private let wallClock: @Sendable () -> Int64
    private var replica: MemoryReplica
    private var committedRows: [Row] = []

    init(nodeID: NodeID, hasher: RowHasher = RowHasher(), wallClock: @escaping @Sendable () -> Int64) {
        self.nodeID = nodeID
        replica = MemoryReplica(nodeID: nodeID, hasher: hasher)
        self.wallClock = wallClock
    }

    var summary: TreeSummary { lock.withLock { replica.summary } }
    var todoCount: Int { lock.withLock { replica.rows.values.count { !$0.isDeleted } } }

    func takeCommitted() -> [Row] {
        lock.withLock {
            defer { committedRows = [] }
            return committedRows
        }
    }

    func create(_ key: ByteString, _ text: ByteString) -> Bool {
        write { $0.create(key, text: text, wallMilliseconds: $1) }
    }

    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) -> Bool {
        guard text != nil || isCompleted != nil else { return lock.withLock { replica.visible(key) != nil } }
        return write { $0.update(key, text: text, completed: isCompleted, wallMilliseconds: $1) }
    }

    func delete(_ key: ByteString) -> Bool { write { $0.delete(key, wallMilliseconds: $1) } }

    func answer(_ request: StoreRequest) async throws -> StoreAnswer { lock.withLock { replica.answer(request) } }

    private func write(_ body: (inout MemoryReplica, Int64) -> Row?) -> Bool {
        lock.withLock {
            guard let row = body(&replica, wallClock()) else { return false }
            committedRows.append(row)
            return true
        }
    }
}
