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
        guard try objects.step() else {
            guard version == 0 else { return .foreign("user version \(version)") }
            return try SeedSchema.encodingFault(connection).map { .foreign($0) } ?? .blank
        }
        let first = (type: objects.text(0), name: objects.text(1))
        guard first.name == "todos", first.type == "table" else {
            return .foreign("it has a \(first.type) \(first.name)")
        }
        if try objects.step() { return .foreign("it has a \(objects.text(0)) \(objects.text(1))") }
        guard version == 0 else { return .foreign("user version \(version)") }
        return try SeedSchema.fault(connection).map { .foreign($0) } ?? .seed
    }

    /// Throws `invalidRow` for the first row that cannot be taken over. Writes nothing.
    static func checkRows(of connection: borrowing Connection, path: String) throws(StoreError) {
        let rows = try Statement("SELECT id, extern_id, todo, completed, created_at FROM todos", on: connection)
        while try rows.step() { _ = try rows.foreignTodo(path: path) }
        // Where no index forbids it.
        let twice = try Statement(
            "SELECT max(id), extern_id FROM todos GROUP BY extern_id HAVING count(*) > 1 LIMIT 1", on: connection)
        if try twice.step() {
            throw .invalidRow(path: path, id: twice.integer(0), reason: "another one has its extern_id")
        }
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

    /// For the seed's rows: so early that an old file beats no newer edit or delete, and a function of the creation alone, so that
    /// copies of one file that are taken over at different times get the same. A creation before `firstStart` is the stamp;
    /// later ones, those in the future too, keep their order within the hours after it.
    func takeOverStamp(_ origin: NodeID) -> Stamp {
        let late = createdAtMilliseconds - Self.firstStart
        guard late > 0 else {
            return Stamp(time: HybridTime(milliseconds: createdAtMilliseconds), origin: origin)
        }
        let start = HybridTime(milliseconds: Self.firstStart).rawValue
        return Stamp(time: HybridTime(rawValue: start + UInt64(late) / 64), origin: origin)
    }

    /// The beginning of 2026: no node had started before. Up to the year 9999 a 64th of a unit a millisecond makes 18 hours.
    static let firstStart: Int64 = 1_767_225_600_000
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
