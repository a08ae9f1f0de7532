internal import Replication
internal import Transport

/// How a replicated row is selected; the readers below know the order of the columns.
enum RowColumns {
    /// Rows of `todos`. A row without stamps, written by another program, has NULL from column 5 on.
    static let todos = """
        SELECT t.id, t.extern_id, t.todo, t.completed, t.created_at, s.presence_time, s.presence_origin,
        s.text_time, s.text_origin, s.completed_time, s.completed_origin
        FROM todos t LEFT JOIN stamps s ON s.id = t.id
        """
    static let tombstones = """
        SELECT id, extern_id, todo, completed, NULL, presence_time, presence_origin,
        text_time, text_origin, completed_time, completed_origin
        FROM tombstones
        """
}

extension Statement {
    /// The row of `todos` that a statement of `RowColumns.todos` stands on. Throws `invalidRow` when another program has
    /// spoilt it, or inserted it and it was not stamped yet.
    borrowing func todoRow() throws(StoreError) -> StoredRow {
        guard !isNull(5) else {
            throw .invalidRow(path: databasePath, id: integer(0), reason: "it was inserted by another program")
        }
        guard let milliseconds = withBytes(4, { Timestamp.parse($0) }) else {
            throw .invalidRow(path: databasePath, id: integer(0), reason: "created_at is no date in a known form")
        }
        let presence = stamp(5)
        let row = Row(
            key: ByteString(text(1)), createdAtMilliseconds: milliseconds, presence,
            text: ByteString(text(2)), isNull(7) ? presence : stamp(7),
            completed: integer(3) != 0, isNull(9) ? presence : stamp(9))
        guard row.isValid else {
            throw .invalidRow(path: databasePath, id: integer(0), reason: "it was changed by another program")
        }
        return StoredRow(reference: integer(0), row: row)
    }

    /// The tombstone that a statement of `RowColumns.tombstones` stands on.
    borrowing func tombstoneRow() -> StoredRow {
        let row = Row(
            key: ByteString(text(1)), presence: Register(.deleted, stamp(5)),
            text: isNull(7) ? nil : Register(ByteString(text(2)), stamp(7)),
            completed: isNull(9) ? nil : Register(integer(3) != 0, stamp(9)))
        return StoredRow(reference: -integer(0), row: row)
    }

    /// The same, `nil` in place of `invalidRow`.
    borrowing func todoRowUnlessSpoilt() throws(StoreError) -> StoredRow? {
        do throws(StoreError) { return try todoRow() } catch .invalidRow { return nil }
    }

    /// Columns: id, extern_id, todo, completed, created_at. `nil` when another program has spoilt the row.
    borrowing func todo() -> Todo? {
        guard integer(0) > 0, let milliseconds = withBytes(4, { Timestamp.parse($0) }) else { return nil }
        return Todo(
            id: integer(0), externID: text(1), text: text(2), isCompleted: integer(3) != 0,
            createdAtMilliseconds: milliseconds)
    }

    private borrowing func stamp(_ column: Int32) -> Stamp {
        Stamp(time: HybridTime(rawValue: unsigned(column)), origin: NodeID(unsigned(column + 1)))
    }
}
