internal import Glibc
internal import Replication
internal import Transport

extension Restamping {
    /// What was done to a file.
    package struct Outcome: Sendable {
        package let copyPath: String
        package let changedCount: Int
    }

    /// Restamps a file that no node has open, and its clock, in one transaction, after a copy was made beside it. Throws `inUse` while a
    /// node has it, and `cannotOpen` when a copy is there already; nothing has changed then.
    package func run(on name: String) throws(StoreError) -> Outcome {
        let file = try StampSurvey.existing(name)
        let lock = try file.lock()
        defer { lock.release() }
        let copyPath = file.path + ".before-restamp"
        guard access(copyPath, F_OK) != 0 else {
            throw .cannotOpen(path: copyPath, reason: "it is there already; move it away first")
        }
        return Outcome(copyPath: copyPath, changedCount: try change(file.path, copyPath))
    }

    /// The connection ends with this function, before the lock does.
    private func change(_ path: String, _ copyPath: String) throws(StoreError) -> Int {
        let connection = try Connection(path: path, mode: .readWrite)
        _ = try LogFiles.checkLeftLog(connection, path: path, in: SystemFiles())
        let copy = try Statement("VACUUM INTO ?1", on: connection)
        try copy.bind(copyPath, at: 1)
        try copy.run()
        try Self.sync(copyPath)
        try connection.execute("PRAGMA synchronous = FULL")
        return try connection.transaction { () throws(StoreError) in
            _ = try Schema.migrate(connection, path: path) {
                preconditionFailure("a file without a node was taken for a node's")
            }
            let rows = try RestampedRows(on: connection, self)
            let references = try rows.references(connection)
            for reference in references { try rows.restamp(reference) }
            let bound = HybridTime(
                rawValue: UInt64(bitPattern: try connection.integer("SELECT clock_bound FROM node")))
            try ClockBound(bound, on: connection).store(time(bound))
            return references.count
        }
    }

    /// Onto the disk.
    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .ioError(path: path, reason: systemMessage(errno)) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .ioError(path: path, reason: systemMessage(errno)) }
    }
}

/// The rows of a file as they are restamped, within the caller's transaction.
private final class RestampedRows {
    private let restamping: Restamping
    private let table: RowTable
    private let todo: Statement
    private let tombstone: Statement

    init(on connection: borrowing Connection, _ restamping: Restamping) throws(StoreError) {
        self.restamping = restamping
        table = try RowTable(on: connection)
        todo = try Statement(RowColumns.todos + " WHERE t.id = ?1", on: connection)
        tombstone = try Statement(RowColumns.tombstones + " WHERE id = ?1", on: connection)
    }

    /// Of rows with stamps that move.
    func references(_ connection: borrowing Connection) throws(StoreError) -> [Int64] {
        let times = "presence_time, coalesce(text_time, 0), coalesce(completed_time, 0)"
        let rows = try Statement(
            "SELECT id, \(times) FROM stamps UNION ALL SELECT -id, \(times) FROM tombstones", on: connection)
        var references: [Int64] = []
        while try rows.step() {
            if (Int32(1)...3).contains(where: { restamping.moves(HybridTime(rawValue: rows.unsigned($0))) }) {
                references.append(rows.integer(0))
            }
        }
        return references
    }

    /// A row that is not as it was written, edited by another program or damaged, keeps its checksum, so that the next start still
    /// sees to it. The stamps of an edit follow the row's own, which are moved therefore.
    func restamp(_ reference: Int64) throws(StoreError) {
        if reference > 0 {
            try todo.bind(reference, at: 1)
            let row = try todo.step() ? try todo.vouchedRow(isTombstone: false) : nil
            todo.reset()
            if let row {
                try table.insertStamps(of: EncodedRow(restamping.row(row.row)), id: reference)
            } else {
                try table.moveTimes(id: reference) { restamping.time($0) }
            }
        } else {
            try tombstone.bind(-reference, at: 1)
            let row = try tombstone.step() ? try tombstone.vouchedRow(isTombstone: true) : nil
            tombstone.reset()
            // A damaged one gets the least stamp at the next start.
            if let row { _ = try table.storeTombstone(EncodedRow(restamping.row(row.row)), id: -reference) }
        }
    }
}
