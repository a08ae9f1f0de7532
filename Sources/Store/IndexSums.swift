internal import CSQLite

/// Sums over the rows of a table of a hash of each value that is indexed, with the row's id. An index of the same rows has the same
/// sums: so one scan tells whether it holds what its table does, in a fortieth of the time that SQLite needs to look each row up
/// (`PRAGMA integrity_check`).
struct IndexSums {
    private var externID: UInt64 = 0
    private var completed: UInt64 = 0
    private var createdAt: UInt64 = 0

    /// The row of `todos` or `tombstones` that a statement of `RowColumns` stands on.
    mutating func note(_ row: borrowing Statement, isTombstone: Bool) {
        let id = row.integer(0)
        externID &+= row.fingerprint(1, id: id)
        // No index of `tombstones` has more than the key.
        guard !isTombstone else { return }
        completed &+= row.fingerprint(3, id: id)
        createdAt &+= row.fingerprint(4, id: id)
    }

    /// The sum that an index of these columns has; `nil` for one that has others.
    private func sum(of columns: [String]) -> UInt64? {
        var sum: UInt64 = 0
        for column in columns {
            switch column {
            case "extern_id": sum &+= externID
            case "completed": sum &+= completed
            case "created_at": sum &+= createdAt
            default: return nil
            }
        }
        return sum
    }

    /// The indexes of `table` that hold something else than it does. Those that have other columns, or are partial, are left out:
    /// nothing is read by them.
    func faults(of table: String, _ connection: borrowing Connection) throws(StoreError) -> [String] {
        let list = try Statement("SELECT name FROM pragma_index_list(?1) WHERE NOT partial", on: connection)
        try list.bind(table, at: 1)
        var faults: [String] = []
        while try list.step() {
            let name = list.text(0)
            let columns = try Self.columns(of: name, connection)
            guard let expected = sum(of: columns) else { continue }
            do throws(StoreError) {
                let found = try connection.integer(
                    "SELECT \(Self.function)(id, \(columns.joined(separator: ", "))) FROM \(table) INDEXED BY \(Self.quoted(name))"
                )
                if UInt64(bitPattern: found) != expected { faults.append(name) }
            } catch .corrupt {
                faults.append(name)
            }
        }
        return faults
    }

    private static func columns(
        of index: String, _ connection: borrowing Connection
    ) throws(StoreError) -> [String] {
        let info = try Statement("SELECT name FROM pragma_index_info(?1) ORDER BY seqno", on: connection)
        try info.bind(index, at: 1)
        var columns: [String] = []
        while try info.step() { columns.append(info.text(0)) }
        return columns
    }

    private static func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

    // MARK: The sum within SQLite, which spares most of a step for each entry

    /// Of an id and values: the sum of the values' hashes.
    private static let function = "acs_index_sum"

    /// To be called once for a connection that loads rows. Without it a scan fails as such.
    static func register(on connection: OpaquePointer) {
        sqlite3_create_function_v2(
            connection, function, -1, SQLITE_UTF8, nil, nil,
            { context, count, values in
                guard let values, count > 0,
                    let room = sqlite3_aggregate_context(context, Int32(MemoryLayout<UInt64>.size))
                else { return sqlite3_result_error_nomem(context) }
                let id = sqlite3_value_int64(values[0])
                var sum = room.load(as: UInt64.self)
                for index in 1..<Int(count) {
                    let value = values[index]
                    sum &+=
                        sqlite3_value_type(value) == SQLITE_INTEGER
                        ? IndexSums.fingerprint(sqlite3_value_int64(value), id: id)
                        : IndexSums.fingerprint(
                            UnsafeRawBufferPointer(
                                start: sqlite3_value_blob(value), count: Int(sqlite3_value_bytes(value))), id: id)
                }
                room.storeBytes(of: sum, as: UInt64.self)
            },
            { context in
                // 0 bytes: no room is made where there was no row.
                let sum = sqlite3_aggregate_context(context, 0)?.load(as: UInt64.self) ?? 0
                sqlite3_result_int64(context, Int64(bitPattern: sum))
            }, nil)
    }

    // MARK: Hashes. They are kept nowhere, and guard against accidents only.

    static func fingerprint(_ value: Int64, id: Int64) -> UInt64 { mix(mix(seed(id), UInt64(bitPattern: value)), 8) }

    static func fingerprint(_ bytes: UnsafeRawBufferPointer, id: Int64) -> UInt64 {
        var hash = seed(id)
        var offset = 0
        while offset + 8 <= bytes.count {
            hash = mix(hash, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var last: UInt64 = 0
        while offset < bytes.count {
            last = last << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return mix(mix(hash, last), UInt64(bytes.count))
    }

    private static func seed(_ id: Int64) -> UInt64 { UInt64(bitPattern: id) &* 0x9e37_79b9_7f4a_7c15 }

    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word) &* 0xd6e8_feb8_6659_fd93
        return product ^ product >> 32
    }
}

extension Statement {
    /// Of a column's value as it is in the file, text as its bytes. To be asked before the column is read otherwise.
    fileprivate borrowing func fingerprint(_ column: Int32, id: Int64) -> UInt64 {
        if type(column) == .integer { return IndexSums.fingerprint(integer(column), id: id) }
        return withRawBytes(column) { IndexSums.fingerprint($0, id: id) }
    }
}
