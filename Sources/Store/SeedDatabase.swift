internal import Replication
internal import Transport

/// The database of the program that this one replaces: recognised, checked and taken over.
enum SeedDatabase {
    /// What a database that is not marked as ours holds.
    enum Kind: Equatable {
        /// No tables but SQLite's own: sqlite_sequence and statistics outlive the tables they were made for.
        case blank
        case seed
        /// In the words of the error.
        case foreign(String)
    }

    static func classify(_ connection: borrowing Connection) throws(StoreError) -> Kind {
        let applicationID = try connection.integer("PRAGMA application_id")
        guard applicationID == 0 else { return .foreign("application id \(applicationID)") }
        let objects = try Statement(
            "SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND type <> 'index'"
                + " ORDER BY name <> 'todos', name", on: connection)
        let version = try connection.integer("PRAGMA user_version")
        guard try objects.step() else { return version == 0 ? .blank : .foreign("user version \(version)") }
        let first = (type: objects.text(0), name: objects.text(1))
        guard first.name == "todos", first.type == "table" else {
            return .foreign("it has a \(first.type) \(first.name)")
        }
        if try objects.step() { return .foreign("it has a \(objects.text(0)) \(objects.text(1))") }
        guard version == 0 else { return .foreign("user version \(version)") }
        guard try columns(connection) == seedColumns else { return .foreign("its table todos has other columns") }
        // Without AUTOINCREMENT an id could be given again after a delete.
        let sql = try connection.text("SELECT upper(sql) FROM sqlite_schema WHERE name = 'todos'")
        return sql.contains("AUTOINCREMENT") ? .seed : .foreign("its table todos has no AUTOINCREMENT")
    }

    /// Throws `invalidRow` for the first row that cannot be taken over. Writes nothing.
    static func checkRows(of connection: borrowing Connection, path: String) throws(StoreError) {
        let rows = try Statement("SELECT id, extern_id, todo, completed, created_at FROM todos", on: connection)
        while try rows.step() { _ = try rows.foreignTodo(path: path) }
    }

    private static let seedColumns = [
        "id INTEGER 0 1", "extern_id TEXT 1 0", "todo TEXT 1 0", "completed BOOLEAN 1 0", "created_at TIMESTAMP 1 0",
    ]

    private static func columns(_ connection: borrowing Connection) throws(StoreError) -> [String] {
        let statement = try Statement(
            "SELECT name || ' ' || upper(type) || ' ' || (\"notnull\" AND NOT pk) || ' ' || pk"
                + " FROM pragma_table_xinfo('todos')", on: connection)
        var columns: [String] = []
        while try statement.step() { columns.append(statement.text(0)) }
        return columns
    }
}

/// A row of `todos` that another program has written, checked.
struct ForeignTodo {
    let key: ByteString
    let text: ByteString
    let isCompleted: Bool
    let createdAtMilliseconds: Int64
    /// Whether `created_at` is written in the one form already.
    let hasOneForm: Bool

    func row(stamp: Stamp) -> Row {
        .created(
            key: key, text: text, completed: isCompleted, atMilliseconds: createdAtMilliseconds, stamp: stamp)
    }

    /// Never later than the row's creation, so that an old file beats no newer edit or delete.
    func takeOverStamp(_ origin: NodeID, _ nowMilliseconds: Int64) -> Stamp {
        Stamp(time: HybridTime(milliseconds: min(createdAtMilliseconds, nowMilliseconds)), origin: origin)
    }
}

extension Statement {
    /// Columns: id, extern_id, todo, completed, created_at. Throws `invalidRow` for what no todo can hold.
    borrowing func foreignTodo(path: String) throws(StoreError) -> ForeignTodo {
        let id = integer(0)
        func fault(_ reason: String) -> StoreError { .invalidRow(path: path, id: id, reason: reason) }
        guard id > 0 else { throw fault("ids begin at 1") }
        guard type(1) == .text, let key = validText(1) else { throw fault("extern_id is not UTF-8 text") }
        guard type(2) == .text, let text = validText(2) else { throw fault("todo is not UTF-8 text") }
        guard key.utf8.count <= Row.maxKeyBytes else {
            throw fault("extern_id has more than \(Row.maxKeyBytes) bytes")
        }
        guard text.utf8.count <= Row.maxTextBytes else { throw fault("todo has more than \(Row.maxTextBytes) bytes") }
        guard type(3) == .integer, integer(3) == 0 || integer(3) == 1 else { throw fault("completed is not 0 or 1") }
        guard type(4) == .text, let milliseconds = withBytes(4, { Timestamp.parse($0) }) else {
            throw fault("created_at is no date in a known form")
        }
        return ForeignTodo(
            key: ByteString(key), text: ByteString(text), isCompleted: integer(3) == 1,
            createdAtMilliseconds: milliseconds, hasOneForm: self.text(4) == Timestamp.format(milliseconds))
    }
}
