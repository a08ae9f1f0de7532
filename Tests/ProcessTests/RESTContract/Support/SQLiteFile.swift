import CSQLite
import Foundation

/// A database as a program sees it that is not the node.
struct SQLiteFile: Sendable {
    struct Failed: Error { var message: String }

    /// What the seed's service makes.
    static let seedSchema = """
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

    let path: String

    init(_ path: String) { self.path = path }

    func run(_ statements: String) throws { try rows(statements) }

    /// Nobody else reads or writes while `body` runs.
    func locked(_ body: () async throws -> Void) async throws {
        var handle: OpaquePointer?
        defer { sqlite3_close(handle) }
        guard sqlite3_open(path, &handle) == SQLITE_OK,
            sqlite3_exec(handle, "BEGIN EXCLUSIVE", nil, nil, nil) == SQLITE_OK
        else { throw Failed(message: "cannot lock \(path)") }
        try await body()
    }

    /// Each row as its values with `|` between.
    @discardableResult
    func rows(_ statements: String) throws -> [String] {
        final class Rows { var list: [String] = [] }
        let rows = Rows()
        var handle: OpaquePointer?
        defer { sqlite3_close_v2(handle) }
        let collect: sqlite3_callback = { rows, count, values, _ in
            let texts = (0..<Int(count)).map { values?[$0].map { String(cString: $0) } ?? "NULL" }
            if let rows {
                Unmanaged<Rows>.fromOpaque(rows).takeUnretainedValue().list.append(texts.joined(separator: "|"))
            }
            return SQLITE_OK
        }
        guard sqlite3_open(path, &handle) == SQLITE_OK, sqlite3_busy_timeout(handle, 5_000) == SQLITE_OK,
            sqlite3_exec(handle, statements, collect, Unmanaged.passUnretained(rows).toOpaque(), nil) == SQLITE_OK
        else { throw Failed(message: String(cString: sqlite3_errmsg(handle))) }
        return rows.list
    }
}
