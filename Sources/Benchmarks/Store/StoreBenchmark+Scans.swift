internal import Replication
internal import Reports
internal import Runtime
internal import Store
internal import Transport

/// Lists and reads of the whole table.
extension StoreBenchmark {
    private static let listLimit = 100
    /// Todos that the REST API reads at once for a list of all.
    private static let pageLimit = 256
    private static let todos = "SELECT id, extern_id, todo, completed, created_at FROM todos"
    private static let newestFirst = todos + " ORDER BY created_at DESC, id DESC"
    private static let stamped = """
        SELECT t.id, t.extern_id, t.todo, t.completed, t.created_at, s.presence_time, s.presence_origin,
        s.text_time, s.text_origin, s.completed_time, s.completed_origin
        FROM todos t LEFT JOIN stamps s ON s.id = t.id
        """

    func measureScans(
        _ pair: DatabasePair, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        var table = BenchmarkReport.Table(
            "Lists and scans of \(options.rows) rows", subject: "what",
            columns: ["a second", "C, a second", "ours/C", "CPU µs", "C CPU µs"],
            note: """
                One task. Lists of \(Self.listLimit) todos: the newest, over and over while nothing is written, which the \
                store keeps and the C loop reads; and those behind any cursor. Todos by pages: Store.page, \
                \(Self.pageLimit) after a cursor each, newest first, to the end. Rows by pages: Store.page of 64 \
                KiB in key order with stamps, as a full sync reads them. For both the C loop runs one SELECT with the same \
                order over all of it and takes every column. Processor time is that of a list, or of a row.
                """)
        let raw = try SQLiteLimit(path: pair.rawPath, isReadOnly: true)
        let newest = try await alternate("lists of the newest \(Self.listLimit)") {
            try await Self.timed {
                _ = try await pair.store.page(limit: Self.listLimit)
                return 1
            }
        } limit: {
            try Self.timed {
                try raw.readNewest(Self.listLimit)
                return 1
            }
        }
        let older = try await measureOlderLists(pair, raw)
        let todos = try await alternate("todos by pages") {
            try await Self.timed { try await Self.scanTodos(pair.store) }
        } limit: {
            try Self.timed { try raw.scan(Self.newestFirst) }
        }
        let rows = try await alternate("rows by pages") {
            try await Self.timed { try await Self.scanRows(pair.store) }
        } limit: {
            try Self.timed { try raw.scan(Self.stamped + " ORDER BY t.extern_id") }
        }
        for (name, versus) in [
            ("newest \(Self.listLimit)", newest), ("\(Self.listLimit) behind a cursor", older),
            ("todos by pages", todos), ("rows by pages", rows),
        ] {
            table.add(name, Self.figures(versus))
            // The page that the store keeps is not read again: no measure of reading.
            if !name.hasPrefix("newest") { summary.add(name, versus) }
        }
        report.tables.append(table)
    }

    private func measureOlderLists(_ pair: DatabasePair, _ raw: SQLiteLimit) async throws -> Versus {
        let count = 64
        var generator = SeededGenerator(seed: 3)
        let rows = (0..<count).map { _ in
            SampleRows.row(Int.random(in: Self.listLimit..<options.rows, using: &generator))
        }
        let cursors = rows.map { row in
            // Greater than no id: the row itself and what is newer are passed over, and nothing else is as old.
            TodoCursor(createdAtMilliseconds: row.presence.stamp.time.milliseconds, id: 0)
        }
        let rawRows = RawRows(rows)
        return try await alternate("lists of \(Self.listLimit) behind a cursor") {
            try await Self.timed {
                for cursor in cursors {
                    let todos = try await pair.store.page(after: cursor, limit: Self.listLimit)
                    precondition(todos.count == Self.listLimit, "\(todos.count) todos in a list")
                }
                return count
            }
        } limit: {
            try Self.timed {
                for index in 0..<count { try raw.read(before: rawRows, index, count: Self.listLimit) }
                return count
            }
        }
    }

    /// Opening again what was closed, and one C scan in the order of the tables over the same rows.
    func measureOpening(
        _ pair: DatabasePair, _ report: inout BenchmarkReport, _ summary: inout StoreSummary
    ) async throws {
        var openings: [Double] = []
        let versus = try await alternate("opening") {
            let (store, measured) = try await Blocking.run {
                var measured = Measured()
                let store = try measured.time { try Store.open(StoreConfiguration(path: pair.storePath)) }
                measured.count = store.todoCount
                return (store, measured)
            }
            openings.append(measured.seconds)
            await store.close()
            return measured
        } limit: {
            var measured = Measured()
            let (raw, count) = try measured.time {
                let raw = try SQLiteLimit(path: pair.rawPath)
                return (raw, try raw.scan(Self.stamped) + raw.scan("SELECT * FROM tombstones"))
            }
            raw.close()
            measured.count = count
            return measured
        }
        let milliseconds = openings.reduce(0, +) / Double(max(1, openings.count)) * 1e3
        var table = BenchmarkReport.Table(
            "Opening a database with \(options.rows) rows", subject: "what",
            columns: ["rows/s", "C rows/s", "ours/C", "CPU µs a row", "C CPU µs a row"],
            note: """
                Store.open of a database that was closed cleanly and is in the system's cache: every row is read and \
                hashed into the tree. It took \(milliseconds.short) ms. The C loop opens its file and reads the same rows \
                with their stamps in the order of the tables, every column.
                """)
        table.add("open", Self.figures(versus))
        summary.add("open", versus)
        report.tables.append(table)
    }

    /// In turns until both together took twice the time of a figure. Short bodies are run so often that a turn has some
    /// length.
    private func alternate(
        _ name: String, ours: () async throws -> Measured, limit: @escaping @Sendable () throws -> Measured
    ) async throws -> Versus {
        progress(name)
        let turnSeconds = options.seconds / 10
        var versus = Versus()
        while versus.seconds < options.seconds * 2 {
            let end = versus.ours.seconds + turnSeconds
            repeat {
                try Task.checkCancellation()
                versus.ours += try await ours()
            } while versus.ours.seconds < end
            versus.limit += try await Blocking.run {
                var measured = Measured()
                repeat { measured += try limit() } while measured.seconds < turnSeconds
                return measured
            }
        }
        return versus
    }

    /// `body` returns how much it has done.
    private static func timed(_ body: () throws -> Int) rethrows -> Measured {
        var measured = Measured()
        measured.count = try measured.time { try body() }
        return measured
    }

    private static func timed(_ body: () async throws -> Int) async rethrows -> Measured {
        var measured = Measured()
        measured.count = try await measured.time { try await body() }
        return measured
    }

    private static func scanTodos(_ store: Store) async throws -> Int {
        var count = 0
        var cursor: TodoCursor?
        while true {
            let todos = try await store.page(after: cursor, limit: pageLimit)
            count += todos.count
            guard let last = todos.last, todos.count == pageLimit else { return count }
            cursor = TodoCursor(createdAtMilliseconds: last.createdAtMilliseconds, id: last.id)
        }
    }

    private static func scanRows(_ store: Store) async throws -> Int {
        var count = 0
        var key: ByteString?
        while true {
            let page = try await store.page(after: key, maxBytes: WalkMessage.targetBytes)
            count += page.rows.count
            key = page.rows.last?.key
            if page.isLast { return count }
        }
    }
}
