internal import CSQLite

/// One prepared statement, finalised exactly once, when this value ends. For the thread of its connection.
///
/// Reset it after use: a statement that stands on a row holds a read snapshot open, and the WAL cannot be reused.
struct Statement: ~Copyable {
    private let handle: OpaquePointer

    init(_ sql: String, on connection: borrowing Connection) throws(StoreError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw StoreError(code: code, connection: connection.handle) }
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Parameters, counted from 1

    func bind(_ value: Int64, at index: Int32) throws(StoreError) {
        try check(sqlite3_bind_int64(handle, index, value))
    }

    /// Kept as the same 64 bits, so that values from 2^63 read as negative numbers in SQL.
    func bind(_ value: UInt64, at index: Int32) throws(StoreError) {
        try bind(Int64(bitPattern: value), at: index)
    }

    /// Bytes as they are, with their length: NUL characters included, nothing normalised.
    func bind(_ value: String, at index: Int32) throws(StoreError) {
        var value = value
        let code = value.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { bytes in
                // An empty buffer may have no address, which SQLite would take for NULL.
                bytes.baseAddress.map { acs_bind_text(handle, index, $0, Int32(bytes.count)) }
                    ?? acs_bind_text(handle, index, "", 0)
            }
        }
        try check(code)
    }

    var parameterCount: Int32 { sqlite3_bind_parameter_count(handle) }

    func bindNull(at index: Int32) throws(StoreError) { try check(sqlite3_bind_null(handle, index)) }

    // MARK: Running

    /// Moves to the next row; `false` at the end. After an error the statement is reset.
    func step() throws(StoreError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let error = StoreError(code: code, connection: sqlite3_db_handle(handle))
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs a statement without rows, and resets it.
    func run() throws(StoreError) {
        _ = try step()
        sqlite3_reset(handle)
    }

    /// Runs an INSERT, resets it, and returns the new row's id.
    func insertedID() throws(StoreError) -> Int64 {
        try run()
        return sqlite3_last_insert_rowid(sqlite3_db_handle(handle))
    }

    /// Its code repeats the error that `step` has thrown.
    func reset() { sqlite3_reset(handle) }

    // MARK: Columns, counted from 0

    enum ColumnType { case integer, text, null, other }

    func type(_ column: Int32) -> ColumnType {
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: .integer
        case SQLITE_TEXT: .text
        case SQLITE_NULL: .null
        default: .other
        }
    }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func unsigned(_ column: Int32) -> UInt64 { UInt64(bitPattern: sqlite3_column_int64(handle, column)) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// What is not UTF-8 is replaced: only another program can have written it.
    func text(_ column: Int32) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    /// `nil` when the bytes are not UTF-8.
    func validText(_ column: Int32) -> String? {
        withBytes(column) { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes of a text, good until `body` returns.
    func withBytes<Value>(_ column: Int32, _ body: (UnsafeBufferPointer<UInt8>) -> Value) -> Value {
        // The order matters: the call for the bytes may convert the text, the one for the count then tells its length.
        let bytes = sqlite3_column_text(handle, column)
        return body(UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }

    /// The bytes of a text as they are in the file, or of anything else but an integer; good until `body` returns.
    func withRawBytes<Value>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        let bytes = sqlite3_column_blob(handle, column)
        return body(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }

    /// The file of the statement's connection, for errors.
    var databasePath: String {
        sqlite3_db_filename(sqlite3_db_handle(handle), "main").map { String(cString: $0) } ?? "the database"
    }

    private func check(_ code: Int32) throws(StoreError) {
        guard code == SQLITE_OK else { throw StoreError(code: code, connection: sqlite3_db_handle(handle)) }
    }
}
