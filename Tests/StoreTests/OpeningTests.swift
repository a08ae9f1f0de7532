import Foundation
import Replication
import Store
import Testing
import Transport

@Suite("Opening a database", .timeLimit(.minutes(1)))
struct OpeningTests {
    let directory: TemporaryDirectory
    var path: String { directory.file() }

    init() throws { directory = try TemporaryDirectory() }

    private func make(_ sql: String) throws {
        let database = try OtherProgram(path)
        try database.run(sql)
    }

    /// Opening fails as expected, and every file stays as it was, with none added: there is no log beside it.
    private func expectUntouched(_ isExpected: (StoreError) -> Bool, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let before = try directory.contents()
        let error = try #require(openFailure(path), sourceLocation: sourceLocation)
        #expect(isExpected(error), "\(error)", sourceLocation: sourceLocation)
        #expect(error.description.contains(path), sourceLocation: sourceLocation)
        #expect(try directory.contents() == before, sourceLocation: sourceLocation)
    }

    @Test("A new database is made in an existing directory, with a random node id")
    func new() async throws {
        let store = try Store.open(.test(path))
        let other = try Store.open(.test(directory.file("b ?#%é.db")))
        #expect(store.nodeID != other.nodeID)
        #expect(store.summary == .empty && store.todoCount == 0)
        await store.close()
        await other.close()
        #expect(try directory.contents().keys.sorted() == ["b ?#%é.db", "todos.db"])
        #expect(try OtherProgram(path).rows("PRAGMA journal_mode") == ["wal"])
    }

    @Test("An empty file, and a database without tables, become ours")
    func blank() async throws {
        _ = FileManager.default.createFile(atPath: path, contents: Data())
        await (try Store.open(.test(path))).close()
        try OtherProgram(directory.file("blank.db")).run("CREATE TABLE x(a); DROP TABLE x")
        await (try Store.open(.test(directory.file("blank.db")))).close()
    }

    @Test("A database whose tables were dropped becomes ours, though SQLite keeps tables of its own")
    func dropped() async throws {
        try make(
            seedSchema + "INSERT INTO todos (extern_id, todo) VALUES ('a', 'b'); ANALYZE; DROP TABLE todos")
        #expect(
            try OtherProgram(path).rows("SELECT name FROM sqlite_schema ORDER BY name") == [
                "sqlite_sequence", "sqlite_stat1",
            ])
        let store = try Store.open(.test(path))
        #expect(store.outsideChanges.takenOver == 0)
        #expect(try await store.created("new").id == 1)
        await store.close()
    }

    @Test("A database without tables that another program has numbered is that program's", arguments: [1, 5, -1])
    func numbered(version: Int) throws {
        try make("CREATE TABLE x(a); DROP TABLE x; PRAGMA user_version = \(version)")
        try expectUntouched { $0 == .foreign(path: path, found: "user version \(version)") }
    }

    @Test("Paths that cannot be are refused with the reason")
    func paths() throws {
        #expect(openFailure(directory.file("no/such/dir.db"))?.description.contains("there is no directory") == true)
        #expect(openFailure(directory.path)?.description.contains("is a directory") == true)
        #expect(openFailure(directory.path + "/") != nil)
        #expect(openFailure("") != nil)
        #expect(openFailure("/dev/null")?.description.contains("not a regular file") == true)
        #expect(openFailure("/proc/todos.db") != nil)
        _ = FileManager.default.createFile(atPath: directory.file("plain"), contents: Data())
        #expect(openFailure(directory.file("plain/x.db"))?.description.contains("Not a directory") == true)
        #expect(try directory.contents().keys.sorted() == ["plain"])
    }

    @Test("A file without the right to write is left", .enabled(if: getuid() != 0, "root may write anything"))
    func unwritable() throws {
        try make(seedSchema)
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
        try expectUntouched { if case .cannotOpen = $0 { true } else { false } }
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: directory.path)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path) }
        try expectUntouched { $0.description.contains("the directory is not writable") }
    }

    @Test(
        "A file that is not SQLite's is left as it is",
        arguments: ["x", "SQLite format 3\0", String(repeating: "not a database ", count: 1_000)])
    func notADatabase(content: String) throws {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        try expectUntouched { if case .notADatabase = $0 { true } else { false } }
    }

    @Test(
        "A database of another program is left as it is",
        arguments: [
            "CREATE TABLE notes(id)", "CREATE TABLE todos(id INTEGER PRIMARY KEY, title TEXT)",
            seedSchema + "CREATE TABLE other(a)", seedSchema + "CREATE VIEW v AS SELECT 1",
            seedSchema + "CREATE TRIGGER t AFTER INSERT ON todos BEGIN DELETE FROM todos; END",
            seedSchema + "PRAGMA user_version = 3", seedSchema + "PRAGMA application_id = 77",
            seedSchema + "ALTER TABLE todos ADD COLUMN extra TEXT",
            seedSchema.replacingOccurrences(of: "AUTOINCREMENT", with: ""), "PRAGMA application_id = 77",
            "PRAGMA journal_mode = WAL; CREATE TABLE notes(id)",
        ])
    func foreign(sql: String) throws {
        try make(sql)
        try expectUntouched { if case .foreign = $0 { true } else { false } }
    }

    @Test(
        "A table that rows of other nodes could break, or that compares keys otherwise, is refused with the reason",
        arguments: [
            (
                "extern_id TEXT NOT NULL", "extern_id TEXT NOT NULL COLLATE NOCASE",
                "todos.extern_id has the collation NOCASE"
            ),
            ("todo TEXT NOT NULL", "todo TEXT NOT NULL COLLATE rtrim", "todos.todo has the collation"),
            ("DEFAULT 0", "DEFAULT 0 CHECK (completed IN (0, 1))", "a CHECK clause"),
            ("todo TEXT NOT NULL", "todo TEXT NOT NULL ON CONFLICT IGNORE", "a CONFLICT clause"),
            ("todo TEXT NOT NULL", "todo TEXT NOT NULL REFERENCES todos (extern_id)", "a REFERENCES clause"),
            ("todo TEXT NOT NULL", "todo TEXT NOT NULL AS (extern_id)", "other columns"),
            ("CREATE TABLE", "PRAGMA encoding = 'UTF-16'; CREATE TABLE", "its encoding is UTF-16le"),
            (
                "ON todos(completed);", "ON todos(completed) WHERE completed = 0;",
                "its index idx_todos_completed is partial"
            ),
            (
                "ON todos(completed);", "ON todos(abs(completed));",
                "its index idx_todos_completed is partial or of an expression"
            ),
            ("ON todos(completed);", "ON todos(todo);", "its index idx_todos_completed is another one"),
            ("UNIQUE INDEX", "INDEX", "its index idx_todos_extern_id is another one"),
            ("ON todos(extern_id);", "ON todos(extern_id COLLATE NOCASE);", "its index idx_todos_extern_id is"),
            (
                "CREATE UNIQUE", "CREATE UNIQUE INDEX u ON todos(todo, created_at); CREATE UNIQUE",
                "its index u is unique"
            ),
            (
                "CREATE INDEX idx_todos_completed",
                "INSERT INTO todos VALUES (9223372036854775807, 'k', 'x', 0, 'x'); CREATE INDEX x",
                "the greatest id of todos was 9223372036854775807"
            ),
            (
                "CREATE INDEX idx_todos_completed",
                "INSERT INTO sqlite_sequence VALUES ('todos', 1 << 62); CREATE INDEX x",
                "sqlite_sequence"
            ),
        ])
    func fault(old: String, new: String, words: String) throws {
        #expect(seedSchema.contains(old))
        try make(seedSchema.replacing(old, with: new, maxReplacements: 1))
        try expectUntouched {
            guard case .foreign(_, let found) = $0 else { return false }
            return found.contains(words)
        }
    }

    @Test("What no row can break is no reason to refuse the seed's file")
    func innocent() async throws {
        try make(
            """
            create table "todos" ( -- CHECK this, or REFERENCES that
              [id] integer not null primary key autoincrement, `extern_id` text not null unique,
              todo text not null default 'CHECK', /* ON CONFLICT */ completed boolean default false not null,
              "created_at" timestamp not null);
            create index further on todos (todo collate nocase, completed desc);
            create unique index pair on todos (todo, extern_id);
            insert into todos values (5, 'k', 'x', 0, '2025-11-08 09:10:11');
            """)
        let store = try Store.open(.test(path))
        #expect(store.outsideChanges.takenOver == 1)
        #expect(try await store.created("new").id == 6)
        await store.close()
    }

    @Test("Two rows of one extern_id, which no index forbade, are refused")
    func twice() throws {
        try make(
            seedSchema.replacing("CREATE UNIQUE INDEX idx_todos_extern_id ON todos(extern_id);", with: "")
                + "INSERT INTO todos VALUES (1, 'k', 'x', 0, '2025-11-08 09:10:11'), (2, 'k', 'y', 0, '2025-11-08 09:10:11')"
        )
        try expectUntouched { if case .invalidRow(path, id: 2, _) = $0 { true } else { false } }
    }

    @Test("A backup put back over the log of a later life is refused as it is; without the log it opens")
    func restored() async throws {
        var store = try Store.open(.test(path))
        func fill(_ numbers: Range<Int>) async throws {
            let stamp = Stamp(time: HybridTime(milliseconds: 1_767_323_045_678), origin: NodeID(1))
            _ = try await store.merge(
                numbers.map {
                    Row.created(key: "key \($0)", text: "text", atMilliseconds: 1_767_323_045_678, stamp: stamp)
                })
        }
        try await fill(0..<3_000)
        let summary = store.summary
        await store.close()
        try directory.copyDatabase(to: "backup.db")
        store = try Store.open(.test(path))
        try await fill(3_000..<6_000)
        try OtherProgram(path).run("PRAGMA wal_checkpoint(TRUNCATE)")
        try await fill(6_000..<6_100)
        try directory.copyDatabase(to: "crashed.db")
        await store.close()

        let crashed = directory.file("crashed.db")
        try FileManager.default.removeItem(atPath: crashed)
        try directory.copyDatabase("backup.db", to: "crashed.db")
        let before = try directory.contents()
        let failure = try #require(openFailure(crashed))
        guard case .corrupt = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(failure.description.contains("remove \(crashed)-wal and \(crashed)-shm"))
        var after = try directory.contents()
        after.removeValue(forKey: "crashed.db-shm")
        #expect(after == before)
        for suffix in ["-wal", "-shm"] { try FileManager.default.removeItem(atPath: crashed + suffix) }
        store = try Store.open(.test(crashed))
        #expect(store.summary == summary)
        await store.close()
    }

    @Test("A database of another program with a hot log, or in use, is left as it is")
    func foreignWithLog() throws {
        let other = try OtherProgram(path)
        try other.run("PRAGMA journal_mode = WAL; CREATE TABLE notes(id); INSERT INTO notes VALUES (1)")
        let before = try directory.contents().filter { !$0.key.hasSuffix("-shm") }
        #expect(openFailure(path)?.description.contains("it has a table notes") == true)
        #expect(try directory.contents().filter { !$0.key.hasSuffix("-shm") } == before)
        #expect(try other.rows("SELECT id FROM notes") == ["1"])
        try directory.copyDatabase(to: "crashed.db")
        let crashed = directory.file("crashed.db")
        let crashedBefore = try directory.contents().filter { $0.key.hasPrefix("crashed") }
        #expect(crashedBefore.keys.sorted() == ["crashed.db", "crashed.db-wal"])
        #expect(openFailure(crashed)?.description.contains("it has a table notes") == true)
        // File and log are as they were. The shared memory stays: another program may have opened it in between.
        var after = try directory.contents().filter { $0.key.hasPrefix("crashed") }
        #expect(after.removeValue(forKey: "crashed.db-shm") != nil)
        #expect(after == crashedBefore)
        #expect(try OtherProgram(crashed).rows("SELECT id FROM notes") == ["1"])
    }

    @Test("A later version is left as it is")
    func newer() async throws {
        await (try Store.open(.test(path))).close()
        try make("PRAGMA user_version = 3")
        try expectUntouched { $0 == .newerVersion(path: path, found: 3, supported: 2) }
    }

    @Test("A file of version 1 with a row that no todo can hold is refused and stays of version 1, byte for byte")
    func refusedMigration() async throws {
        let store = try Store.open(.test(path))
        for key in ["a", "b", "c"] { _ = try await store.created(key) }
        _ = try await store.delete(.externID("c"))
        await store.close()
        try make(toVersionOne + "UPDATE todos SET created_at = 'never' WHERE extern_id = 'b'")
        let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
        let before = try OtherProgram(path).rows(schema)
        try expectUntouched { if case .invalidRow(path, id: 2, _) = $0 { true } else { false } }
        let other = try OtherProgram(path)
        #expect(try other.rows("PRAGMA user_version") == ["1"])
        #expect(try other.rows(schema) == before)
        try other.run("UPDATE todos SET created_at = '2025-11-08 09:10:11' WHERE extern_id = 'b'")
        let mended = try Store.open(.test(path))
        #expect(mended.todoCount == 2)
        await mended.close()
    }

    @Test("A damaged database is refused and left as it is")
    func corrupt() async throws {
        let store = try Store.open(.test(path))
        for number in 0..<500 { _ = try await store.created("key \(number)", String(repeating: "x", count: 100)) }
        await store.close()
        var data = try #require(FileManager.default.contents(atPath: path))
        for index in stride(from: 4_096 * 2, to: data.count, by: 7) { data[index] = 0xa5 }
        try data.write(to: URL(fileURLWithPath: path))
        try expectUntouched { if case .corrupt = $0 { true } else { false } }
        try data.prefix(4_096 * 3 + 100).write(to: URL(fileURLWithPath: path))
        try expectUntouched { if case .corrupt = $0 { true } else { false } }
    }

    @Test("A second node on the same file is told so, by whatever name it comes; after a close it may have it")
    func twoNodes() async throws {
        let store = try Store.open(.test(path))
        #expect(openFailure(path) == .inUse(path: path))
        try FileManager.default.createSymbolicLink(atPath: directory.file("link.db"), withDestinationPath: path)
        #expect(openFailure(directory.file("link.db")) == .inUse(path: path))
        #expect(openFailure(directory.path + "/./todos.db") == .inUse(path: path))
        _ = try await store.created("still works")
        await store.close()
        let next = try Store.open(.test(directory.file("link.db")))
        #expect(next.todoCount == 1)
        await next.close()
    }

    @Test("A lock file that a dead node has left is no obstacle")
    func staleLock() async throws {
        _ = FileManager.default.createFile(atPath: path + "-lock", contents: Data())
        let store = try Store.open(.test(path))
        await store.close()
        #expect(try directory.contents().keys.sorted() == ["todos.db"])
    }

    @Test("Another program that holds the file is reported as such")
    func lockedSeed() throws {
        let other = try OtherProgram(path)
        try other.run(seedSchema + "BEGIN EXCLUSIVE; INSERT INTO todos (extern_id, todo) VALUES ('a', 'b')")
        let error = openFailure(path)
        #expect(error == .busy(path: path))
        try other.run("COMMIT")
        #expect(try other.rows("SELECT count(*) FROM todos") == ["1"])
    }
}
