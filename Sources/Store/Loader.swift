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

    /// Within the caller's transaction. `clock` stamps what other programs have written.
    func load(_ connection: borrowing Connection, _ clock: inout HybridClock) throws(StoreError) -> Loaded {
        var loaded = Loaded()
        var exceptions = Exceptions()
        try readTodos(connection, &loaded, &exceptions)
        try readTombstones(connection, &loaded, &exceptions)
        let changed = try ChangedRows(on: connection, path: path, nodeID: nodeID, wall: wall, isTakeOver: isTakeOver)
        for row in exceptions.unsealed { try changed.table.setChecksum(row.checksum, reference: row.reference) }
        for (id, milliseconds) in exceptions.otherForms { try changed.table.setCreatedAt(milliseconds, id: id) }
        // First, for the others are looked up by key; and tombstones, whose references are negative, before todos.
        for reference in exceptions.damaged.sorted() {
            try note(&loaded) { row throws(StoreError) in try changed.demote(reference, connection, &row) }
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
        _ connection: borrowing Connection, _ loaded: inout Loaded, _ exceptions: inout Exceptions
    ) throws(StoreError) {
        let todos = try Statement(RowColumns.todos, on: connection)
        while try todos.step() {
            guard !todos.isNull(5) else {
                exceptions.unstamped.append(todos.integer(0))
                continue
            }
            exceptions.stampedCount += 1
            do throws(StoreError) {
                let stored = try todos.todoRow()
                guard read(stored, &loaded, &exceptions) == .asWritten else { continue }
                let hasOneForm = todos.withBytes(4) {
                    $0.count == Timestamp.byteCount && $0.last == UInt8(ascii: "Z")
                }
                if !hasOneForm, case .created(let milliseconds) = stored.row.presence.value {
                    exceptions.otherForms.append((stored.reference, milliseconds))
                }
            } catch .rowChanged {
                exceptions.damaged.append(todos.integer(0))
            } catch .invalidRow where skipsSpoiltRows {
                loaded.spoiltCount += 1
            }
        }
    }

    private func readTombstones(
        _ connection: borrowing Connection, _ loaded: inout Loaded, _ exceptions: inout Exceptions
    ) throws(StoreError) {
        let tombstones = try Statement(RowColumns.tombstones, on: connection)
        while try tombstones.step() {
            let stored = tombstones.tombstoneRow()
            if stored.row.isValid {
                _ = read(stored, &loaded, &exceptions)
            } else {
                exceptions.damaged.append(stored.reference)
            }
        }
    }

    /// Puts a row that is as it was written into the index, and any other one among the exceptions.
    private func read(
        _ stored: StoredRow, _ loaded: inout Loaded, _ exceptions: inout Exceptions
    ) -> RowClaim.Finding {
        let digest = hasher.digest(stored.row, scratch: &loaded.scratch)
        let checksum = RowChecksum.of(loaded.scratch)
        let finding = stored.claim.finding(checksum)
        switch finding {
        case .asWritten:
            loaded.index.insert(TreeIndex.Entry(digest: digest, reference: stored.reference))
            if stored.claim.checksum == nil || !stored.claim.edits.isEmpty {
                exceptions.unsealed.append((stored.reference, checksum))
            }
        case .edited: exceptions.edited.append(stored.reference)
        case .damaged: exceptions.damaged.append(stored.reference)
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
