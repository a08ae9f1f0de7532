internal import Replication
internal import Transport

/// A row and where it is: the id in `todos`, or the negated id in `tombstones`.
struct StoredRow {
    let reference: Int64
    let row: Row
    let claim: RowClaim
}

/// Loads and stores replicated rows in `todos`, `stamps` and `tombstones`. For the thread of its connection; writes
/// belong into the caller's transaction.
final class RowTable {
    private let todoByKey: Statement
    private let todoByID: Statement
    private let tombstoneByKey: Statement
    private let insertTodo: Statement
    private let updateTodo: Statement
    private let updateText: Statement
    private let updateCompleted: Statement
    private let updateCreatedAt: Statement
    private let deleteTodo: Statement
    private let putStamps: Statement
    private let readTimes: Statement
    private let putTimes: Statement
    private let putChecksum: Statement
    private let putTombstoneChecksum: Statement
    private let deleteStamps: Statement
    private let putTombstone: Statement
    private let deleteTombstone: Statement
    /// For bytes that are hashed only.
    private var scratch: [UInt8] = []

    init(on connection: borrowing Connection) throws(StoreError) {
        todoByKey = try Statement(RowColumns.todos + " WHERE t.extern_id = ?1", on: connection)
        todoByID = try Statement(RowColumns.todos + " WHERE t.id = ?1", on: connection)
        tombstoneByKey = try Statement(RowColumns.tombstones + " WHERE extern_id = ?1", on: connection)
        insertTodo = try Statement(
            "INSERT INTO todos (extern_id, todo, completed, created_at) VALUES (?1, ?2, ?3, ?4)",
            on: connection)
        updateTodo = try Statement(
            "UPDATE todos SET todo = ?2, completed = ?3, created_at = ?4 WHERE id = ?1", on: connection)
        // Naming a column has SQLite write its index anew, also where the value stays.
        updateText = try Statement("UPDATE todos SET todo = ?2 WHERE id = ?1", on: connection)
        updateCompleted = try Statement("UPDATE todos SET completed = ?2 WHERE id = ?1", on: connection)
        updateCreatedAt = try Statement("UPDATE todos SET created_at = ?2 WHERE id = ?1", on: connection)
        deleteTodo = try Statement("DELETE FROM todos WHERE id = ?1", on: connection)
        putStamps = try Statement(
            """
            REPLACE INTO stamps (id, presence_time, presence_origin, text_time, text_origin, completed_time, completed_origin,
            checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """, on: connection)
        readTimes = try Statement(
            "SELECT presence_time, text_time, completed_time FROM stamps WHERE id = ?1", on: connection)
        putTimes = try Statement(
            "UPDATE stamps SET presence_time = ?2, text_time = ?3, completed_time = ?4 WHERE id = ?1", on: connection)
        putChecksum = try Statement("UPDATE stamps SET checksum = ?2, edits = 0 WHERE id = ?1", on: connection)
        putTombstoneChecksum = try Statement("UPDATE tombstones SET checksum = ?2 WHERE id = ?1", on: connection)
        deleteStamps = try Statement("DELETE FROM stamps WHERE id = ?1", on: connection)
        putTombstone = try Statement(
            """
            REPLACE INTO tombstones (id, extern_id, presence_time, presence_origin, todo, text_time, text_origin, completed,
            completed_time, completed_origin, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            """, on: connection)
        deleteTombstone = try Statement("DELETE FROM tombstones WHERE id = ?1", on: connection)
    }

    // MARK: Loading. `invalidRow` where another program has spoilt the row that is asked for, `rowChanged` where it is not as it
    // was written.

    /// The row with this key, a tombstone included.
    func row(key: ByteString) throws(StoreError) -> StoredRow? {
        if let live = try todo(key: key) { return live }
        return try tombstone(key: key)
    }

    func todo(key: ByteString) throws(StoreError) -> StoredRow? {
        defer { todoByKey.reset() }
        try todoByKey.bind(key.string, at: 1)
        guard try todoByKey.step() else { return nil }
        return try checked(try todoByKey.todoRow(), key, path: todoByKey.databasePath)
    }

    func todo(id: Int64) throws(StoreError) -> StoredRow? {
        defer { todoByID.reset() }
        try todoByID.bind(id, at: 1)
        guard try todoByID.step() else { return nil }
        return try checked(try todoByID.todoRow(), path: todoByID.databasePath)
    }

    func tombstone(key: ByteString) throws(StoreError) -> StoredRow? {
        defer { tombstoneByKey.reset() }
        try tombstoneByKey.bind(key.string, at: 1)
        guard try tombstoneByKey.step() else { return nil }
        return try checked(tombstoneByKey.tombstoneRow(), key, path: tombstoneByKey.databasePath)
    }

    /// Throws unless the row is as it was written.
    private func checked(
        _ stored: StoredRow, _ key: ByteString? = nil, path: @autoclosure () -> String
    ) throws(StoreError) -> StoredRow {
        if let key, stored.row.key != key {
            throw .corrupt(path: path(), reason: "an index leads to a row of another key")
        }
        scratch.removeAll(keepingCapacity: true)
        if stored.row.isValid { RowCodec.append(stored.row, to: &scratch) }
        switch stored.claim.finding(RowChecksum.of(scratch)) {
        case .asWritten: return stored
        // An edit is made this node's own before anything else is done, unless no todo can hold it.
        case .edited: throw .invalidRow(path: path(), id: stored.reference, reason: "it was changed by another program")
        case .damaged: throw .rowChanged(path: path(), id: stored.reference)
        }
    }

    // MARK: Storing

    /// Writes `row` in place of `old`, which must be what is stored under its key. Returns where it is now.
    func store(_ encoded: EncodedRow, replacing old: StoredRow?) throws(StoreError) -> Int64 {
        let row = encoded.row
        guard case .created(let milliseconds) = row.presence.value else {
            if let old, old.reference > 0 { try removeTodo(id: old.reference) }
            return try storeTombstone(encoded, id: old.flatMap { $0.reference < 0 ? -$0.reference : nil })
        }
        if let old, old.reference > 0 {
            try update(old, to: row, createdAtMilliseconds: milliseconds)
            try insertStamps(of: encoded, id: old.reference)
            return old.reference
        }
        if let old { try removeTombstone(id: -old.reference) }
        try insertTodo.bind(row.key.string, at: 1)
        try bindValues(insertTodo, row, milliseconds)
        let id = try insertTodo.insertedID()
        try insertStamps(of: encoded, id: id)
        return id
    }

    /// Writes the columns that differ.
    private func update(
        _ old: StoredRow, to row: Row, createdAtMilliseconds milliseconds: Int64
    ) throws(StoreError) {
        let (id, oldRow) = (old.reference, old.row)
        let hasNewText = oldRow.text?.value != row.text?.value
        let hasNewCompleted = oldRow.completed?.value != row.completed?.value
        if oldRow.presence.value != row.presence.value || hasNewText && hasNewCompleted {
            try updateTodo.bind(id, at: 1)
            try bindValues(updateTodo, row, milliseconds)
            try updateTodo.run()
        } else if hasNewText {
            try updateText.bind(id, at: 1)
            try updateText.bind(row.text?.value.string ?? "", at: 2)
            try updateText.run()
        } else if hasNewCompleted {
            try updateCompleted.bind(id, at: 1)
            try updateCompleted.bind(row.completed?.value == true ? 1 : 0 as Int64, at: 2)
            try updateCompleted.run()
        }
    }

    /// Stamps of a row of `todos`, new or in place of the old ones.
    func insertStamps(of encoded: EncodedRow, id: Int64) throws(StoreError) {
        let row = encoded.row
        try putStamps.bind(id, at: 1)
        try putStamps.bind(row.presence.stamp, at: 2)
        try bindUnlessShared(row.text?.stamp, row.presence.stamp, at: 4)
        try bindUnlessShared(row.completed?.stamp, row.presence.stamp, at: 6)
        try putStamps.bind(RowChecksum.of(encoded), at: 8)
        try putStamps.run()
    }

    /// Writes all columns and stamps of a row of `todos`.
    func rewrite(_ encoded: EncodedRow, id: Int64) throws(StoreError) {
        guard case .created(let milliseconds) = encoded.row.presence.value else {
            preconditionFailure("a deleted row in todos: \(encoded.row.presence)")
        }
        try updateTodo.bind(id, at: 1)
        try bindValues(updateTodo, encoded.row, milliseconds)
        try updateTodo.run()
        try insertStamps(of: encoded, id: id)
    }

    /// Changes the times of the stamps of a row of `todos`, and leaves its checksum.
    func moveTimes(id: Int64, _ move: (HybridTime) -> HybridTime) throws(StoreError) {
        try readTimes.bind(id, at: 1)
        defer { readTimes.reset() }
        guard try readTimes.step() else { return }
        try putTimes.bind(id, at: 1)
        for column in Int32(0)...2 {
            if readTimes.isNull(column) {
                try putTimes.bindNull(at: column + 2)
            } else {
                try putTimes.bind(move(HybridTime(rawValue: readTimes.unsigned(column))).rawValue, at: column + 2)
            }
        }
        readTimes.reset()
        try putTimes.run()
    }

    /// Takes the row for one that is as it was written.
    func setChecksum(_ checksum: Int64, reference: Int64) throws(StoreError) {
        if reference > 0 {
            try Self.run(putChecksum, reference, checksum)
        } else {
            try Self.run(putTombstoneChecksum, -reference, checksum)
        }
    }

    private static func run(
        _ statement: borrowing Statement, _ id: Int64, _ checksum: Int64
    ) throws(StoreError) {
        try statement.bind(id, at: 1)
        try statement.bind(checksum, at: 2)
        try statement.run()
    }

    func setCreatedAt(_ milliseconds: Int64, id: Int64) throws(StoreError) {
        try updateCreatedAt.bind(id, at: 1)
        try updateCreatedAt.bind(Timestamp.format(milliseconds), at: 2)
        try updateCreatedAt.run()
    }

    func removeTodo(id: Int64) throws(StoreError) {
        try deleteTodo.bind(id, at: 1)
        try deleteTodo.run()
        try deleteStamps.bind(id, at: 1)
        try deleteStamps.run()
    }

    func removeTombstone(id: Int64) throws(StoreError) {
        try deleteTombstone.bind(id, at: 1)
        try deleteTombstone.run()
    }

    /// `id`: that of the tombstone that this one replaces.
    func storeTombstone(_ encoded: EncodedRow, id: Int64?) throws(StoreError) -> Int64 {
        let row = encoded.row
        if let id { try putTombstone.bind(id, at: 1) } else { try putTombstone.bindNull(at: 1) }
        try putTombstone.bind(row.key.string, at: 2)
        try putTombstone.bind(row.presence.stamp, at: 3)
        if let text = row.text {
            try putTombstone.bind(text.value.string, at: 5)
            try putTombstone.bind(text.stamp, at: 6)
        } else {
            for index in Int32(5)...7 { try putTombstone.bindNull(at: index) }
        }
        if let completed = row.completed {
            try putTombstone.bind(completed.value ? 1 : 0 as Int64, at: 8)
            try putTombstone.bind(completed.stamp, at: 9)
        } else {
            for index in Int32(8)...10 { try putTombstone.bindNull(at: index) }
        }
        try putTombstone.bind(RowChecksum.of(encoded), at: 11)
        return -(try putTombstone.insertedID())
    }

    /// todo, completed and created_at at 2, 3, 4.
    private func bindValues(
        _ statement: borrowing Statement, _ row: Row, _ milliseconds: Int64
    ) throws(StoreError) {
        guard let text = row.text, let completed = row.completed else {
            preconditionFailure("a created row without text or completed: \(row.presence)")
        }
        try statement.bind(text.value.string, at: 2)
        try statement.bind(completed.value ? 1 : 0 as Int64, at: 3)
        try statement.bind(Timestamp.format(milliseconds), at: 4)
    }

    private func bindUnlessShared(_ stamp: Stamp?, _ presence: Stamp, at index: Int32) throws(StoreError) {
        if let stamp, stamp != presence {
            try putStamps.bind(stamp, at: index)
        } else {
            try putStamps.bindNull(at: index)
            try putStamps.bindNull(at: index + 1)
        }
    }
}

extension Statement {
    /// Time and origin, at `index` and the one behind it.
    borrowing func bind(_ stamp: Stamp, at index: Int32) throws(StoreError) {
        try bind(stamp.time.rawValue, at: index)
        try bind(stamp.origin.rawValue, at: index + 1)
    }
}
