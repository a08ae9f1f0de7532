internal import CSQLite

/// Whether a table `todos` is the seed's, asked of SQLite rather than of the text that made it.
///
/// What differs must not be able to change what a merge means: rows of other nodes are written into this table, and a constraint
/// that they break, or a key that compares otherwise, would keep the nodes apart for ever.
enum SeedSchema {
    /// Half of what SQLite can number: `AUTOINCREMENT` refuses inserts after the last id.
    static let maxID: Int64 = 1 << 62

    private static let columns = [
        "id INTEGER 0 1 0", "extern_id TEXT 1 0 0", "todo TEXT 1 0 0", "completed BOOLEAN 1 0 0",
        "created_at TIMESTAMP 1 0 0",
    ]
    /// Made where they are missing, so one of another shape must not have the name. Each with its column.
    private static let indexes = [
        "idx_todos_created_at": "created_at", "idx_todos_completed": "completed", "idx_todos_extern_id": "extern_id",
    ]

    /// What is wrong, in the words of the error; `nil` for a table that can be taken over.
    static func fault(_ connection: borrowing Connection) throws(StoreError) -> String? {
        if let fault = try encodingFault(connection) { return fault }
        let found = try connection.texts(
            "SELECT name || ' ' || upper(type) || ' ' || (\"notnull\" AND NOT pk) || ' ' || pk || ' ' || hidden"
                + " FROM pragma_table_xinfo('todos')")
        guard found == columns else { return "its table todos has other columns" }
        for column in ["id", "extern_id", "todo", "completed", "created_at"] {
            var collation: UnsafePointer<CChar>?
            var isAutoincrement: Int32 = 0
            let code = sqlite3_table_column_metadata(
                connection.handle, "main", "todos", column, nil, &collation, nil, nil, &isAutoincrement)
            guard code == SQLITE_OK else { throw StoreError(code: code, connection: connection.handle) }
            let name = collation.map { String(cString: $0) } ?? "BINARY"
            guard name.uppercased() == "BINARY" else {
                return "its column todos.\(column) has the collation \(name): make the table anew without it"
            }
            // An id could be given again after a delete.
            if column == "id", isAutoincrement == 0 { return "its table todos has no AUTOINCREMENT" }
        }
        let sql = try connection.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'todos'")
        for word in words(of: sql) where ["CHECK", "CONFLICT", "REFERENCES"].contains(word) {
            return
                "its table todos has a \(word) clause, which other nodes' rows could break: make the table anew without it"
        }
        if let fault = try indexFault(connection) { return fault }
        return try idFault(connection)
    }

    /// Keys are in the order of their bytes in UTF-8 only.
    static func encodingFault(_ connection: borrowing Connection) throws(StoreError) -> String? {
        let encoding = try connection.text("PRAGMA encoding")
        guard encoding != "UTF-8" else { return nil }
        return "its encoding is \(encoding): copy it into a database that was made with PRAGMA encoding = 'UTF-8'"
    }

    private static func indexFault(_ connection: borrowing Connection) throws(StoreError) -> String? {
        let list = try Statement("SELECT name, \"unique\", partial FROM pragma_index_list('todos')", on: connection)
        while try list.step() {
            let (name, isUnique, isPartial) = (list.text(0), list.integer(1) == 1, list.integer(2) == 1)
            let remedy = ": drop it"
            let parts = try Statement(
                "SELECT name, cid, upper(coll) FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno", on: connection)
            try parts.bind(name, at: 1)
            var columns: [String] = []
            var hasExpression = false
            while try parts.step() {
                hasExpression = hasExpression || parts.integer(1) < 0
                columns.append(parts.text(2) == "BINARY" ? parts.text(0) : parts.text(0) + " " + parts.text(2))
            }
            if isPartial || hasExpression {
                return "its index \(name) is partial or of an expression, which other nodes' rows could break\(remedy)"
            }
            // Where extern_id is among the columns, nothing but an equal extern_id can break it.
            if isUnique, !columns.contains("extern_id") {
                return "its index \(name) is unique, but not of extern_id: other nodes' rows could break it\(remedy)"
            }
            if let expected = indexes[name], columns != [expected] || isUnique != (expected == "extern_id") {
                return "its index \(name) is another one than that of \(expected)\(remedy)"
            }
        }
        return nil
    }

    private static func idFault(_ connection: borrowing Connection) throws(StoreError) -> String? {
        let greatest = max(
            try connection.integer("SELECT max(id) FROM todos"),
            try connection.integer("SELECT max(CAST(seq AS INTEGER)) FROM sqlite_sequence WHERE name = 'todos'"))
        guard greatest >= maxID else { return nil }
        return
            "the greatest id of todos was \(greatest), which leaves too few for new ones: give the row a smaller one, and its"
            + " entry in sqlite_sequence too"
    }

    /// Upper-case words of an SQL text that are neither quoted nor in comments.
    private static func words(of sql: String) -> [String] {
        var words: [String] = []
        var word = ""
        var rest = Substring(sql)
        func isEnd(_ character: Character) -> Bool { !(character.isLetter || character.isNumber || character == "_") }
        while let character = rest.first {
            if !isEnd(character) {
                word.append(character)
                rest = rest.dropFirst()
                continue
            }
            if !word.isEmpty { words.append(word.uppercased()) }
            word = ""
            let closing: String? =
                switch character {
                case "'", "\"", "`": String(character)
                case "[": "]"
                case "-" where rest.hasPrefix("--"): "\n"
                case "/" where rest.hasPrefix("/*"): "*/"
                default: nil
                }
            rest = rest.dropFirst()
            guard let closing else { continue }
            while !rest.isEmpty, !rest.hasPrefix(closing) { rest = rest.dropFirst() }
            rest = rest.dropFirst(closing.count)
        }
        if !word.isEmpty { words.append(word.uppercased()) }
        return words
    }
}

extension Connection {
    /// The first column of all rows.
    fileprivate func texts(_ sql: String) throws(StoreError) -> [String] {
        let statement = try Statement(sql, on: self)
        var texts: [String] = []
        while try statement.step() { texts.append(statement.text(0)) }
        return texts
    }
}
