internal import Replication

/// Makes indexes anew from their tables, within the caller's transaction. The rows have checksums, so they are the truth.
///
/// While an entry was missing its key may have been written once more, since it was not found: those rows become one again,
/// merged as two nodes' copies are.
struct IndexMender {
    /// The rows of one table that have one key.
    private struct Namesakes {
        let key: ByteString
        var references: [Int64]
    }

    private let path: String
    private let rows: ChangedRows

    init(_ rows: ChangedRows, path: String) {
        self.rows = rows
        self.path = path
    }

    /// `damaged`: the rows that do not vouch for themselves. Throws `corrupt` where one of them has another key than its entry, for that
    /// may be what is right; where the file's trees are not whole; and where rows of one key cannot be told apart. Afterwards all rows are
    /// to be read anew.
    func mend(_ tables: [String], damaged: [Int64], _ connection: borrowing Connection) throws(StoreError) {
        for reference in damaged { try rows.checkKey(of: reference) }
        // Emptying an index that leads into another tree would destroy that.
        let report = try connection.text("PRAGMA quick_check(1)")
        guard report == "ok" else { throw .corrupt(path: path, reason: report) }
        var merged: [(reference: Int64, row: Row?)] = []
        for each in try namesakes(connection) { merged.append(try unite(each)) }
        for table in tables { try connection.execute("REINDEX \(table)") }
        for case (let reference, let row?) in merged {
            if reference > 0 {
                try rows.table.rewrite(EncodedRow(row), id: reference)
            } else {
                _ = try rows.table.storeTombstone(EncodedRow(row), id: -reference)
            }
        }
        try uniteTables(connection)
    }

    /// By scans, since the indexes are not to be trusted.
    private func namesakes(_ connection: borrowing Connection) throws(StoreError) -> [Namesakes] {
        var found: [Namesakes] = []
        for (table, sign) in [("todos", Int64(1)), ("tombstones", -1)] {
            let select = try Statement(
                """
                SELECT extern_id, id FROM \(table) NOT INDEXED WHERE extern_id IN
                  (SELECT extern_id FROM \(table) NOT INDEXED GROUP BY extern_id HAVING count(*) > 1)
                ORDER BY extern_id, id
                """, on: connection)
            var last: ByteString?
            while try select.step() {
                let (key, reference) = (ByteString(select.text(0)), sign * select.integer(1))
                if last == key {
                    found[found.count - 1].references.append(reference)
                } else {
                    found.append(Namesakes(key: key, references: [reference]))
                }
                last = key
            }
        }
        return found
    }

    /// Removes the row that the index has, and gives the other one with what it is to become, once it is in the index; `nil` where neither
    /// vouches for itself.
    private func unite(_ namesakes: Namesakes) throws(StoreError) -> (reference: Int64, row: Row?) {
        var (kept, merged) = ([Int64](), Row?.none)
        for reference in namesakes.references {
            if let row = try rows.vouchedRow(reference) { merged = merged.map { $0.merged(with: row) } ?? row }
            if try rows.isIndexed(namesakes.key, reference) {
                try remove(reference)
            } else {
                kept.append(reference)
            }
        }
        guard kept.count == 1 else {
            throw .corrupt(
                path: path, reason: "\(namesakes.references.count) rows have the key \(namesakes.key.string)")
        }
        return (kept[0], merged)
    }

    private func remove(_ reference: Int64) throws(StoreError) {
        if reference > 0 {
            try rows.table.removeTodo(id: reference)
        } else {
            try rows.table.removeTombstone(id: -reference)
        }
    }

    /// A key is in one of the tables only.
    private func uniteTables(_ connection: borrowing Connection) throws(StoreError) {
        let select = try Statement(
            "SELECT t.id, x.id FROM tombstones x CROSS JOIN todos t ON t.extern_id = x.extern_id", on: connection)
        var pairs: [(id: Int64, tombstoneID: Int64)] = []
        while try select.step() { pairs.append((select.integer(0), select.integer(1))) }
        select.reset()
        for (id, tombstoneID) in pairs {
            guard let dead = try rows.vouchedRow(-tombstoneID) else {
                try rows.table.removeTombstone(id: tombstoneID)
                continue
            }
            guard let live = try rows.vouchedRow(id) else {
                try rows.table.removeTodo(id: id)
                continue
            }
            let merged = EncodedRow(live.merged(with: dead))
            if merged.row.isDeleted {
                try rows.table.removeTodo(id: id)
                _ = try rows.table.storeTombstone(merged, id: tombstoneID)
            } else {
                try rows.table.removeTombstone(id: tombstoneID)
                try rows.table.rewrite(merged, id: id)
            }
        }
    }
}
