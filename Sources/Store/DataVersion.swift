/// SQLite's data version (https://sqlite.org/pragma.html#pragma_data_version) as a connection sees it: another one after every
/// commit of any other connection, those of other programs too. For the thread of the connection.
struct DataVersion: ~Copyable {
    /// As of when the connection's owner last read what it keeps.
    var known: Int64
    private let select: Statement

    init(_ known: Int64 = 0, on connection: borrowing Connection) throws(StoreError) {
        self.known = known
        select = try Statement("PRAGMA data_version", on: connection)
    }

    /// Within a transaction: that of its moment.
    func current() throws(StoreError) -> Int64 {
        defer { select.reset() }
        return try select.step() ? select.integer(0) : 0
    }
}
