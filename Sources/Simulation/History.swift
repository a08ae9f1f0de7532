internal import Replication

/// What clients did and were told, and what may have happened besides: all that the checkers go by.
package struct History: Sendable {
    private struct Write: Sendable {
        var row: Row
        var node: Int
    }

    /// Every row that was acknowledged to a client, by key, in order.
    private var acknowledged: [ByteString: [Write]] = [:]
    /// The join of every row that any node has committed for a client, acknowledged or not.
    private(set) var possible: [ByteString: Row] = [:]
    package private(set) var acknowledgedCount = 0
    package private(set) var refusedCount = 0
    /// Acknowledged writes that a fault took away which no database survives, such as an old backup put back.
    package private(set) var exemptedCount = 0

    init() {}

    mutating func committed(_ row: Row, on node: Int, isAcknowledged: Bool) {
        possible[row.key] = possible[row.key].map { $0.merged(with: row) } ?? row
        guard isAcknowledged else { return }
        acknowledgedCount += 1
        acknowledged[row.key, default: []].append(Write(row: row, node: node))
    }

    mutating func refused() { refusedCount += 1 }

    /// The database of `node` is thrown away: what it acknowledged and none of `survivors` has may be gone.
    mutating func exempt(node: Int, survivors: [MemoryReplica]) {
        for key in acknowledged.keys {
            let before = acknowledged[key]?.count ?? 0
            acknowledged[key]?.removeAll { write in
                write.node == node && !survivors.contains { Self.holds($0, write.row) }
            }
            exemptedCount += before - (acknowledged[key]?.count ?? 0)
        }
    }

    /// What every replica must hold at least, by key.
    var required: [ByteString: Row] {
        acknowledged.compactMapValues { writes in
            writes.first.map { first in writes.dropFirst().reduce(first.row) { $0.merged(with: $1.row) } }
        }
    }

    private static func holds(_ replica: MemoryReplica, _ row: Row) -> Bool {
        guard let held = replica.rows[row.key] else { return false }
        return held.merged(with: row) == held
    }
}
