internal import Replication
internal import Transport

/// How a replicated row is selected; the readers below know the order of the columns.
enum RowColumns {
    /// Rows of `todos`. A row without stamps, written by another program, has NULL from column 5 on.
    /// Columns 11 and 12 are the row's claim.
    static let todos = """
        SELECT t.id, t.extern_id, t.todo, t.completed, t.created_at, s.presence_time, s.presence_origin,
        s.text_time, s.text_origin, s.completed_time, s.completed_origin, s.checksum, s.edits
        FROM todos t LEFT JOIN stamps s ON s.id = t.id
        """
    static let tombstones = """
        SELECT id, extern_id, todo, completed, NULL, presence_time, presence_origin,
        text_time, text_origin, completed_time, completed_origin, checksum, 0
        FROM tombstones
        """
}

extension Statement {
    /// The row of `todos` that a statement of `RowColumns.todos` stands on. Throws `invalidRow` when another program has
    /// spoilt it, or inserted it and it was not stamped yet, and `rowChanged` when damage has spoilt it.
    borrowing func todoRow() throws(StoreError) -> StoredRow {
        guard !isNull(5) else {
            throw .invalidRow(path: databasePath, id: integer(0), reason: "it was inserted by another program")
        }
        guard let milliseconds = withBytes(4, { Timestamp.parse($0) }) else {
            throw spoilt("created_at is no date in a known form")
        }
        let row = todoRow(createdAtMilliseconds: milliseconds)
        guard row.isValid else {
            let isStampSpoilt = Row.created(
                key: row.key, text: row.text?.value ?? "", atMilliseconds: milliseconds, stamp: .least
            ).isValid
            // Who edits values does not touch stamps.
            if isStampSpoilt, claim.checksum != nil { throw .rowChanged(path: databasePath, id: integer(0)) }
            throw spoilt("it was changed by another program")
        }
        return StoredRow(reference: integer(0), row: row, claim: claim)
    }

    /// The values of a damaged row, as near as a todo can have them to what is there.
    borrowing func salvagedRow() -> Row {
        let presence = stamp(5)
        let row = todoRow(createdAtMilliseconds: withBytes(4) { Timestamp.parse($0) } ?? presence.time.milliseconds)
        let range = Row.createdRange
        guard case .created(let milliseconds) = row.presence.value, let text = row.text, let completed = row.completed
        else { return row }
        return .created(
            key: row.key, text: text.value.utf8.count > Row.maxTextBytes ? "" : text.value, completed: completed.value,
            atMilliseconds: min(max(milliseconds, range.lowerBound), range.upperBound), stamp: .least)
    }

    private borrowing func todoRow(createdAtMilliseconds: Int64) -> Row {
        let presence = stamp(5)
        return Row(
            key: ByteString(text(1)), createdAtMilliseconds: createdAtMilliseconds, presence,
            text: ByteString(text(2)), isNull(7) ? presence : stamp(7),
            completed: integer(3) != 0, isNull(9) ? presence : stamp(9))
    }

    private borrowing func spoilt(_ reason: String) -> StoreError {
        let claim = claim
        if claim.checksum != nil, claim.edits.isEmpty { return .rowChanged(path: databasePath, id: integer(0)) }
        return .invalidRow(path: databasePath, id: integer(0), reason: reason)
    }

    private var claim: RowClaim {
        RowClaim(checksum: isNull(11) ? nil : integer(11), edits: ForeignEdits(rawValue: integer(12)))
    }

    /// The tombstone that a statement of `RowColumns.tombstones` stands on.
    borrowing func tombstoneRow() -> StoredRow {
        let row = Row(
            key: ByteString(text(1)), presence: Register(.deleted, stamp(5)),
            text: isNull(7) ? nil : Register(ByteString(text(2)), stamp(7)),
            completed: isNull(9) ? nil : Register(integer(3) != 0, stamp(9)))
        return StoredRow(reference: -integer(0), row: row, claim: claim)
    }

    /// For the other nodes: the row of `todos`, or of `tombstones`, with its encoding. `nil` unless it is as this program wrote it: what
    /// was changed since waits until the writer has seen to it, for its stamps are not those of its values.
    borrowing func vouchedRow(isTombstone: Bool) throws(StoreError) -> EncodedRow? {
        do throws(StoreError) {
            let stored = isTombstone ? tombstoneRow() : try todoRow()
            guard stored.row.isValid else { return nil }
            let encoded = EncodedRow(stored.row)
            return stored.claim.finding(RowChecksum.of(encoded)) == .asWritten ? encoded : nil
        } catch .invalidRow {
            return nil
        } catch .rowChanged {
            return nil
        }
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
