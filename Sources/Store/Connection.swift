internal import CSQLite
internal import Glibc

/// One SQLite connection, closed exactly once, when this value ends. For one thread at a time: SQLite's own mutexes are
/// off.
struct Connection: ~Copyable {
    enum Mode {
        case readWrite
        case readOnly
        /// Looks at a file that may not be ours without changing it or its log. `isImmutable`: no log lies beside it that
        /// counts, so that SQLite need not create its shared memory.
        case inspection(isImmutable: Bool)
    }

    /// Once for the process, before its first connection.
    private static let skipsMemoryStatistics = acs_skip_memory_statistics() == SQLITE_OK

    let handle: OpaquePointer

    /// `path` must be absolute: SQLite takes `file:` at the beginning of a name for a URI. `vfsName`: of `FileSystem`.
    init(path: String, mode: Mode, vfsName: String? = nil) throws(StoreError) {
        // Without it SQLite is only slower.
        _ = Self.skipsMemoryStatistics
        var name = path
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        switch mode {
        case .readWrite: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .readOnly: flags |= SQLITE_OPEN_READONLY
        case .inspection(let isImmutable):
            flags |= SQLITE_OPEN_READONLY
            if isImmutable {
                flags |= SQLITE_OPEN_URI
                name = "file:\(Self.percentEncoded(path))?immutable=1"
            }
        }
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags, vfsName)
        guard let opened else { throw .failed(path: path, code: code, reason: "out of memory") }
        guard code == SQLITE_OK else {
            defer { sqlite3_close_v2(opened) }
            throw StoreError(code: code, connection: opened)
        }
        handle = opened
        sqlite3_busy_timeout(handle, 5_000)
        if case .inspection = mode { acs_keep_wal_on_close(handle) }
        // The file's triggers note what other programs write: see `Schema`.
        acs_disable_triggers(handle)
        if case .readWrite = mode { IndexSums.register(on: handle) }
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements whose rows do not matter.
    func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw StoreError(code: code, connection: handle) }
    }

    /// The first column of the first row.
    func integer(_ sql: String) throws(StoreError) -> Int64 {
        let statement = try Statement(sql, on: self)
        return try statement.step() ? statement.integer(0) : 0
    }

    /// The first column of the first row.
    func text(_ sql: String) throws(StoreError) -> String {
        let statement = try Statement(sql, on: self)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Runs `body` between `begin` and COMMIT. When either throws, nothing of it remains.
    func transaction<Value>(
        _ begin: String = "BEGIN IMMEDIATE", _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        try execute(begin)
        do throws(StoreError) {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            rollBack()
            throw error
        }
    }

    /// SQLite ends some failed transactions itself (disk full); then there is nothing left to do.
    func rollBack() {
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    var isReadOnly: Bool { sqlite3_db_readonly(handle, "main") == 1 }

    /// Whether the file was removed or renamed since it was opened: what is written goes nowhere then.
    var hasMoved: Bool {
        var moved: Int32 = 0
        return sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0
    }

    private static func percentEncoded(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                text += byte < 16 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}

extension StoreError {
    /// The one place where SQLite's result codes become errors.
    init(code: Int32, connection: OpaquePointer) {
        let path = sqlite3_db_filename(connection, "main").map { String(cString: $0) } ?? "the database"
        let message = String(cString: sqlite3_errmsg(connection))
        let systemError = sqlite3_system_errno(connection)
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED: self = .busy(path: path)
        case SQLITE_FULL: self = .diskFull(path: path)
        case SQLITE_IOERR where systemError == ENOSPC || systemError == EDQUOT: self = .diskFull(path: path)
        case SQLITE_IOERR: self = .ioError(path: path, reason: "\(message), code \(code), errno \(systemError)")
        case SQLITE_CORRUPT: self = .corrupt(path: path, reason: message)
        case SQLITE_NOTADB: self = .notADatabase(path: path)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH, SQLITE_READONLY:
            self = .cannotOpen(path: path, reason: message)
        default: self = .failed(path: path, code: code, reason: message)
        }
    }
}
