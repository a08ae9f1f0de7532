import CSQLite
import Foundation
import Replication
@testable import Store
import Testing
import Transport

/// A directory that goes when the test ends.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/store-tests-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String = "todos.db") -> String { path + "/" + name }

    /// Names and bytes of all files, sorted by name.
    func contents() throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            contents[name] = FileManager.default.contents(atPath: file(name)) ?? Data()
        }
        return contents
    }

    /// The database as a crash would leave it: file and log, without shared memory.
    func copyDatabase(_ name: String = "todos.db", to copy: String) throws {
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: file(name + suffix)) {
            try FileManager.default.copyItem(atPath: file(name + suffix), toPath: file(copy + suffix))
        }
    }
}

/// What another program does to a database.
struct OtherProgram: ~Copyable {
    private let handle: OpaquePointer

    init(_ path: String) throws {
        var opened: OpaquePointer?
        try #require(sqlite3_open(path, &opened) == SQLITE_OK)
        handle = try #require(opened)
        sqlite3_busy_timeout(handle, 2_000)
    }

    deinit { sqlite3_close(handle) }

    func run(_ sql: String) throws {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        try #require(code == SQLITE_OK, "\(sql): \(String(cString: sqlite3_errmsg(handle)))")
    }

    /// Each row as its columns joined by `|`.
    func rows(_ sql: String) throws -> [String] {
        var statement: OpaquePointer?
        try #require(
            sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK,
            "\(sql): \(String(cString: sqlite3_errmsg(handle)))")
        defer { sqlite3_finalize(statement) }
        var rows: [String] = []
        while sqlite3_step(statement) == SQLITE_ROW {
            let columns = (0..<sqlite3_column_count(statement)).map { column in
                sqlite3_column_text(statement, column).map { String(cString: $0) } ?? "NULL"
            }
            rows.append(columns.joined(separator: "|"))
        }
        return rows
    }

    /// Makes SQLite forget to tidy up when this connection is closed, as a crash would.
    func keepLog() { acs_keep_wal_on_close(handle) }
}

/// A wall clock that the test moves.
///
/// `@unchecked Sendable`: the value is touched under `lock` only.
final class TestClock: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Int64
    private var confirmed = false

    init(_ milliseconds: Int64 = 1_767_323_045_678) { value = milliseconds }

    var milliseconds: Int64 {
        get { lock.withLock { value } }
        set { lock.withLock { value = newValue } }
    }

    /// Whether other nodes' clocks agree.
    var isConfirmed: Bool {
        get { lock.withLock { confirmed } }
        set { lock.withLock { confirmed = newValue } }
    }

    var reading: WallReading { WallReading(milliseconds: milliseconds, isConfirmed: isConfirmed) }
}

extension StoreConfiguration {
    /// With a clock that the test moves, if given, and for speed without waiting for the disk.
    static func test(_ path: String, clock: TestClock? = nil) -> StoreConfiguration {
        var configuration = StoreConfiguration(path: path)
        configuration.synchronous = .normal
        if let clock { configuration.wallClock = { clock.reading } }
        return configuration
    }
}

extension Store {
    func created(_ externID: String, _ text: String = "text") async throws -> Todo {
        guard case .created(let todo) = try await create(externID: externID, text: text) else {
            throw TestFailure("\(externID) exists")
        }
        return todo
    }

    /// Bounds the database to this many pages of 4 KiB: SQLite's answer is that of a full disk.
    func limitPages(_ count: Int64) async throws {
        try await write { (core) throws(StoreError) in
            try core.connection.execute("PRAGMA max_page_count = \(count)")
        }
    }

    func merge(_ rows: [Row]) async throws -> MergeOutcome {
        try await merge(rows.map { EncodedRow($0) })
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// All rows of a replica, by pages.
func allRows(of store: any ReplicaStore, maxBytes: Int = 1 << 20) async throws -> [Row] {
    var rows: [Row] = []
    while true {
        let page = try await store.page(after: rows.last?.key, maxBytes: maxBytes)
        rows += page.rows.map(\.row)
        if page.isLast { return rows }
        try #require(!page.rows.isEmpty)
    }
}

func failure(_ body: () async throws -> Void) async -> StoreError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? StoreError
    }
}

func openFailure(_ path: String) -> StoreError? {
    do throws(StoreError) {
        _ = try Store.open(.test(path))
        return nil
    } catch {
        return error
    }
}

let seedSchema = """
    CREATE TABLE todos (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      extern_id TEXT NOT NULL,
      todo TEXT NOT NULL,
      completed BOOLEAN NOT NULL DEFAULT 0,
      created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    CREATE INDEX idx_todos_created_at ON todos(created_at);
    CREATE INDEX idx_todos_completed ON todos(completed);
    CREATE UNIQUE INDEX idx_todos_extern_id ON todos(extern_id);
    """

/// Makes a file of version 1 of one of version 2.
let toVersionOne = """
    DROP TRIGGER todos_inserted; DROP TRIGGER todos_updated; DROP TRIGGER todos_deleted; DROP TABLE removals;
    ALTER TABLE stamps DROP COLUMN checksum; ALTER TABLE stamps DROP COLUMN edits;
    ALTER TABLE tombstones DROP COLUMN checksum; PRAGMA user_version = 1;
    """
