internal import CRawLimits
internal import Replication

/// What SQLite alone gives: C loops with prepared statements in a database that a store has made and closed.
///
/// `@unchecked Sendable`: whoever has it uses it from one thread after the other.
final class SQLiteLimit: @unchecked Sendable {
    /// Those of the store's connection that writes: they are not kept in the file.
    static let writerPragmas = """
        PRAGMA synchronous = FULL; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = FAST;
        PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;
        """
    /// Those of the store's connections that read.
    static let readerPragmas = "PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;"

    private var database: OpaquePointer?

    init(path: String, isReadOnly: Bool = false) throws {
        let pragmas = isReadOnly ? Self.readerPragmas : Self.writerPragmas
        try BenchmarkError.check(
            "opening SQLite's file", rl_database_open(path, isReadOnly ? 1 : 0, pragmas, &database))
    }

    deinit { close() }

    /// Moves the log into the database. Nothing else may be called afterwards.
    func close() {
        rl_database_close(database)
        database = nil
    }

    /// One transaction with the look-up of each row. `newsCount` rows must change something.
    func merge(_ rows: RawRows, _ range: Range<Int>, newsCount: Int) throws {
        try BenchmarkError.check(
            "merging in C", rl_merge(database, rows.base + range.lowerBound, range.count), is: newsCount)
    }

    /// One transaction of INSERTs.
    func insert(_ rows: RawRows, _ range: Range<Int>) throws {
        try BenchmarkError.check(
            "inserting in C", rl_insert(database, rows.base + range.lowerBound, range.count), is: range.count)
    }

    /// All must be there. `together`: 32 reads share a transaction, as in the store when many wait.
    func read(ids: ArraySlice<Int64>, together: Bool) throws {
        try ids.withUnsafeBufferPointer {
            let found = rl_read_by_id(database, $0.baseAddress, $0.count, together ? 1 : 0)
            try BenchmarkError.check("reading in C", found, is: $0.count)
        }
    }

    /// The same by their keys.
    func read(_ rows: RawRows, _ range: Range<Int>, together: Bool) throws {
        let found = rl_read_by_key(database, rows.base + range.lowerBound, range.count, together ? 1 : 0)
        try BenchmarkError.check("reading in C", found, is: range.count)
    }

    func readNewest(_ count: Int) throws {
        try BenchmarkError.check("listing in C", rl_read_newest(database, Int64(count)), is: count)
    }

    /// Those created before that row; so many must be there.
    func read(before rows: RawRows, _ index: Int, count: Int) throws {
        try BenchmarkError.check(
            "listing in C", rl_read_before(database, rows.base + index, Int64(count)), is: count)
    }

    /// Every column of every row of a SELECT; returns how many rows.
    func scan(_ sql: String) throws -> Int { try BenchmarkError.check("scanning in C", rl_scan(database, sql)) }
}
