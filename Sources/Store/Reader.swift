internal import Membership
internal import Replication
internal import Transport

/// What one reader thread owns: a connection that cannot write, and its statements.
///
/// For one thread at a time: `Store.open` makes it, then a reader thread takes it over.
final class Reader {
    /// Most todos of a page that is kept, and most bytes of their texts: what REST lets in fits.
    private static let maxKeptTodos = 256
    private static let maxKeptBytes = 1 << 20

    private let connection: Connection
    private let todoByID: Statement
    private let todoByExternID: Statement
    private let newestTodos: Statement
    private let newestTodosOfKind: Statement
    private let todosAtOnce: Statement
    private let olderTodos: Statement
    let rowByID: Statement
    let tombstoneByID: Statement
    let rowsFrom: Statement
    let tombstonesFrom: Statement
    private let begin: Statement
    private let commit: Statement
    private var dataVersion: DataVersion
    private var newestPage: NewestPage?

    /// The page that was read last from the start of the list, good until anybody commits anything.
    private struct NewestPage {
        var limit: Int
        var todos: [Todo]
    }

    init(path: String, vfsName: String? = nil) throws(StoreError) {
        connection = try Connection(path: path, mode: .readOnly, vfsName: vfsName)
        try connection.execute("PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY")
        let todo = "SELECT id, extern_id, todo, completed, created_at FROM todos"
        todoByID = try Statement(todo + " WHERE id = ?1", on: connection)
        todoByExternID = try Statement(todo + " WHERE extern_id = ?1", on: connection)
        // `+completed` keeps the planner off the index on completed, which would need a sort of all that match.
        let filter = "(?2 IS NULL OR +completed = ?2)"
        newestTodos = try Statement(todo + " ORDER BY created_at DESC, id DESC LIMIT ?1", on: connection)
        newestTodosOfKind = try Statement(
            todo + " WHERE \(filter) ORDER BY created_at DESC, id DESC LIMIT ?1", on: connection)
        // Two statements where `(created_at, id) < (?, ?)` would do, but walk all todos of one moment.
        todosAtOnce = try Statement(
            todo + " WHERE created_at = ?3 AND id < ?4 AND \(filter) ORDER BY id DESC LIMIT ?1", on: connection)
        olderTodos = try Statement(
            todo + " WHERE created_at < ?3 AND \(filter) ORDER BY created_at DESC, id DESC LIMIT ?1", on: connection)
        rowByID = try Statement(RowColumns.todos + " WHERE t.id = ?1", on: connection)
        tombstoneByID = try Statement(RowColumns.tombstones + " WHERE id = ?1", on: connection)
        rowsFrom = try Statement(RowColumns.todos + " WHERE t.extern_id >= ?1 ORDER BY t.extern_id", on: connection)
        tombstonesFrom = try Statement(
            RowColumns.tombstones + " WHERE extern_id >= ?1 ORDER BY extern_id", on: connection)
        begin = try Statement("BEGIN", on: connection)
        commit = try Statement("COMMIT", on: connection)
        dataVersion = try DataVersion(on: connection)
    }

    func todo(id: Int64) throws(StoreError) -> Todo? {
        defer { todoByID.reset() }
        try todoByID.bind(id, at: 1)
        return try todoByID.step() ? todoByID.todo() : nil
    }

    func todo(externID: String) throws(StoreError) -> Todo? {
        defer { todoByExternID.reset() }
        try todoByExternID.bind(externID, at: 1)
        return try todoByExternID.step() ? todoByExternID.todo() : nil
    }

    /// Newest first.
    func todos(after cursor: TodoCursor?, limit: Int, isCompleted: Bool?) throws(StoreError) -> [Todo] {
        guard let cursor else {
            guard let isCompleted else { return try newest(limit) }
            return try todos(newestTodosOfKind, nil, limit, isCompleted)
        }
        return try snapshot { () throws(StoreError) in
            var todos = try todos(todosAtOnce, cursor, limit, isCompleted)
            if todos.count < limit {
                todos += try self.todos(olderTodos, cursor, limit - todos.count, isCompleted)
            }
            return todos
        }
    }

    /// The list that most clients ask for, again and again: it is read once while nothing changes. This connection itself
    /// commits nothing.
    private func newest(_ limit: Int) throws(StoreError) -> [Todo] {
        guard limit <= Self.maxKeptTodos else { return try todos(newestTodos, nil, limit, nil) }
        return try snapshot { () throws(StoreError) in
            let version = try dataVersion.current()
            if let newestPage, dataVersion.known == version, newestPage.limit == limit { return newestPage.todos }
            let todos = try todos(newestTodos, nil, limit, nil)
            let bytes = todos.reduce(0) { $0 + $1.externID.utf8.count + $1.text.utf8.count }
            newestPage = bytes <= Self.maxKeptBytes ? NewestPage(limit: limit, todos: todos) : nil
            dataVersion.known = version
            return todos
        }
    }

    private func todos(
        _ statement: borrowing Statement, _ cursor: TodoCursor?, _ limit: Int, _ isCompleted: Bool?
    ) throws(StoreError) -> [Todo] {
        defer { statement.reset() }
        // No limit to the rows read, since some may be spoilt and skipped.
        try statement.bind(Int64(-1), at: 1)
        if let isCompleted {
            try statement.bind(isCompleted ? 1 : 0 as Int64, at: 2)
        } else if statement.parameterCount > 1 {
            try statement.bindNull(at: 2)
        }
        if let cursor {
            try statement.bind(Timestamp.format(cursor.createdAtMilliseconds), at: 3)
            if statement.parameterCount > 3 { try statement.bind(cursor.id, at: 4) }
        }
        var todos: [Todo] = []
        todos.reserveCapacity(min(limit, Self.maxKeptTodos))
        while todos.count < limit, try statement.step() {
            if let todo = statement.todo() { todos.append(todo) }
        }
        return todos
    }

    func knownMembers() throws(StoreError) -> [KnownMember] { try connection.knownMembers() }

    /// Runs `body` in one transaction where that can be had, which spares each of several reads its own. Not for a `body`
    /// that takes a snapshot.
    func together(_ count: Int, _ body: () -> Void) {
        let hasBegun = count > 1 && (try? begin.run()) != nil
        body()
        if hasBegun { end() }
    }

    /// Without it later reads would see this moment for ever.
    private func end() { if (try? commit.run()) == nil { connection.rollBack() } }

    /// All reads of `body` see one moment of the database.
    func snapshot<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        try begin.run()
        defer { end() }
        return try body()
    }
}
