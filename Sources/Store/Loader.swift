internal import Replication
internal import Transport

/// Reads the whole database and builds the tree index. What other programs have written becomes writes of this node, and what
/// was damaged gets stamps that every other copy beats. See DESIGN.md, "What others write".
struct Loader: ~Copyable {
    /// The state of a database as the writer needs it.
    struct Loaded {
        var index = TreeIndex()
        var changes = OutsideChanges()
        /// Rows of `todos` that no todo can hold; they are not in the index.
        var spoiltCount = 0
        /// For bytes that are hashed only.
        fileprivate var scratch: [UInt8] = []
    }

    let path: String
    let nodeID: NodeID
    let hasher: RowHasher
    let wall: WallReading
    /// What becomes of a row that another program has written and no todo can hold: counted and left out, or the cause
    /// of `invalidRow`.
    let skipsSpoiltRows: Bool
    /// Whether the indexes are compared with their tables. Without that a wrong entry that a change meets is `corrupt`.
    let checksIndexes: Bool
    /// Whether the rows without stamps are the seed's.
    var isTakeOver = false

    /// Rows that are not simply read, by their references.
    private struct Exceptions {
        /// Of `todos`.
        var unstamped: [Int64] = []
        var edited: [Int64] = []
        /// Of `todos` and of `tombstones`.
        var damaged: [Int64] = []
        /// Those without a checksum, or marked as edited though they are as they were written.
        var unsealed: [(reference: Int64, checksum: Int64)] = []
        /// Those whose `created_at` is not written in the one form.
        var otherForms: [(id: Int64, milliseconds: Int64)] = []
        /// Rows of `todos` with stamps.
        var stampedCount: Int64 = 0
    }

    /// The rows as they are in the tables.
    private struct Reading {
        var loaded = Loaded()
        var exceptions = Exceptions()
        var todoSums = IndexSums()
        var tombstoneSums = IndexSums()
    }

    /// Within the caller's transaction. `clock` stamps what other programs have written. An index that does not hold what its table does
    /// is made anew.
    func load(_ connection: borrowing Connection, _ clock: inout HybridClock) throws(StoreError) -> Loaded {
        let changed = try ChangedRows(on: connection, path: path, nodeID: nodeID, wall: wall, isTakeOver: isTakeOver)
        let reading = try read(connection)
        guard checksIndexes else { return try finish(reading, changed, connection, &clock) }
        let ofTodos = try reading.todoSums.faults(of: "todos", connection)
        let ofTombstones = try reading.tombstoneSums.faults(of: "tombstones", connection)
        guard !ofTodos.isEmpty || !ofTombstones.isEmpty else {
            return try finish(reading, changed, connection, &clock)
        }
        let damaged = reading.exceptions.damaged
        let tables = (ofTodos.isEmpty ? [] : ["todos"]) + (ofTombstones.isEmpty ? [] : ["tombstones"])
        try IndexMender(changed, path: path).mend(tables, damaged: damaged, connection)
        var loaded = try finish(try read(connection), changed, connection, &clock)
        // A row that is damaged itself differs from what indexes have of it.
        if !damaged.contains(where: { $0 > 0 }) { loaded.changes.damagedIndexes += ofTodos.count }
        if !damaged.contains(where: { $0 < 0 }) { loaded.changes.damagedIndexes += ofTombstones.count }
        return loaded
    }

    private func read(_ connection: borrowing Connection) throws(StoreError) -> Reading {
        var reading = Reading()
        try readTodos(connection, &reading)
        try readTombstones(connection, &reading)
        return reading
    }

    /// Sees to the rows that are not as this node wrote them.
    private func finish(
        _ reading: consuming Reading, _ changed: ChangedRows, _ connection: borrowing Connection,
        _ clock: inout HybridClock
    ) throws(StoreError) -> Loaded {
        let exceptions = reading.exceptions
        var loaded = reading.loaded
        for row in exceptions.unsealed { try changed.table.setChecksum(row.checksum, reference: row.reference) }
        for (id, milliseconds) in exceptions.otherForms { try changed.table.setCreatedAt(milliseconds, id: id) }
        // First, for the others are looked up by key; and tombstones, whose references are negative, before todos.
        for reference in exceptions.damaged.sorted() {
            try note(&loaded) { row throws(StoreError) in try changed.demote(reference, &row) }
        }
        let vanished = try changed.takeVanished(hasOrphans: try orphanCount(connection, exceptions) > 0, connection)
        for id in exceptions.edited {
            try note(&loaded) { row throws(StoreError) in try changed.restamp(id, &clock, &row) }
        }
        for id in exceptions.unstamped {
            try note(&loaded) { row throws(StoreError) in try changed.stamp(id, vanished, &clock, &row) }
        }
        // Last, since a row that was inserted again is no removal.
        for removal in vanished.removals {
            try note(&loaded) { row throws(StoreError) in try changed.remove(removal, &clock, &row) }
        }
        return loaded
    }

    private func readTodos(
        _ connection: borrowing Connection, _ reading: inout Reading
    ) throws(StoreError) {
        let todos = try Statement(RowColumns.todos, on: connection)
        while try todos.step() {
            if checksIndexes { reading.todoSums.note(todos, isTombstone: false) }
            guard !todos.isNull(5) else {
                reading.exceptions.unstamped.append(todos.integer(0))
                continue
            }
            reading.exceptions.stampedCount += 1
            do throws(StoreError) {
                let stored = try todos.todoRow()
                guard read(stored, &reading) == .asWritten else { continue }
                let hasOneForm = todos.withBytes(4) {
                    $0.count == Timestamp.byteCount && $0.last == UInt8(ascii: "Z")
                }
                if !hasOneForm, case .created(let milliseconds) = stored.row.presence.value {
                    reading.exceptions.otherForms.append((stored.reference, milliseconds))
                }
            } catch .rowChanged {
                reading.exceptions.damaged.append(todos.integer(0))
            } catch .invalidRow where skipsSpoiltRows {
                reading.loaded.spoiltCount += 1
            }
        }
    }

    private func readTombstones(
        _ connection: borrowing Connection, _ reading: inout Reading
    ) throws(StoreError) {
        let tombstones = try Statement(RowColumns.tombstones, on: connection)
        while try tombstones.step() {
            if checksIndexes { reading.tombstoneSums.note(tombstones, isTombstone: true) }
            let stored = tombstones.tombstoneRow()
            if stored.row.isValid {
                _ = read(stored, &reading)
            } else {
                reading.exceptions.damaged.append(stored.reference)
            }
        }
    }

    /// Puts a row that is as it was written into the index, and any other one among the exceptions.
    private func read(_ stored: StoredRow, _ reading: inout Reading) -> RowClaim.Finding {
        let digest = hasher.digest(stored.row, scratch: &reading.loaded.scratch)
        let checksum = RowChecksum.of(reading.loaded.scratch)
        let finding = stored.claim.finding(checksum)
        switch finding {
        case .asWritten:
            reading.loaded.index.insert(TreeIndex.Entry(digest: digest, reference: stored.reference))
            if stored.claim.checksum == nil || !stored.claim.edits.isEmpty {
                reading.exceptions.unsealed.append((stored.reference, checksum))
            }
        case .edited: reading.exceptions.edited.append(stored.reference)
        case .damaged: reading.exceptions.damaged.append(stored.reference)
        }
        return finding
    }

    /// Stamps without a row of `todos`: of rows that vanished past the triggers.
    private func orphanCount(
        _ connection: borrowing Connection, _ exceptions: Exceptions
    ) throws(StoreError) -> Int64 {
        try connection.integer("SELECT count(*) FROM stamps") - exceptions.stampedCount
    }

    /// Runs `change` on a row and puts into the index what it leaves there; counts and leaves out a row that is spoilt.
    private func note(
        _ loaded: inout Loaded, _ change: (inout ChangedRows.Outcome) throws(StoreError) -> Void
    ) throws(StoreError) {
        do throws(StoreError) {
            var outcome = ChangedRows.Outcome()
            try change(&outcome)
            loaded.changes += outcome.changes
            for gone in outcome.removed { loaded.index.remove(entry(gone, &loaded.scratch)) }
            for row in outcome.inserted { loaded.index.insert(entry(row, &loaded.scratch)) }
        } catch .invalidRow where skipsSpoiltRows {
            loaded.spoiltCount += 1
        }
    }

    private func entry(_ row: ChangedRows.Placed, _ scratch: inout [UInt8]) -> TreeIndex.Entry {
        TreeIndex.Entry(digest: hasher.digest(row.row, scratch: &scratch), reference: row.reference)
    }
}
