internal import Replication
internal import Transport

/// Reads the whole database: builds the tree index, and gives stamps to what another program has inserted.
struct Loader: ~Copyable {
    /// The state of a database as the writer needs it.
    struct Loaded {
        var index = TreeIndex()
        /// Rows that had no stamps.
        var takenOverCount = 0
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

    /// Within the caller's transaction. `clock` stamps what somebody else wanted back after a delete.
    func load(_ connection: borrowing Connection, _ clock: inout HybridClock) throws(StoreError) -> Loaded {
        var loaded = Loaded()
        var unstamped: [Int64] = []
        var otherForms: [(id: Int64, milliseconds: Int64)] = []
        let todos = try Statement(RowColumns.todos, on: connection)
        var stampCount: Int64 = 0
        while try todos.step() {
            guard !todos.isNull(5) else {
                unstamped.append(todos.integer(0))
                continue
            }
            stampCount += 1
            guard let stored = try unlessSpoilt(&loaded, { () throws(StoreError) in try todos.todoRow() }) else {
                continue
            }
            insert(stored, into: &loaded)
            let hasOneForm = todos.withBytes(4) { $0.count == Timestamp.byteCount && $0.last == UInt8(ascii: "Z") }
            if !hasOneForm, case .created(let milliseconds) = stored.row.presence.value {
                otherForms.append((stored.reference, milliseconds))
            }
        }
        todos.reset()
        let tombstones = try Statement(RowColumns.tombstones, on: connection)
        while try tombstones.step() { insert(tombstones.tombstoneRow(), into: &loaded) }
        tombstones.reset()

        if try connection.integer("SELECT count(*) FROM stamps") != stampCount {
            // Todos that another program removed come back from the other nodes: their keys are not known here.
            try connection.execute("DELETE FROM stamps WHERE id NOT IN (SELECT id FROM todos)")
        }
        let table = try RowTable(on: connection)
        for (id, milliseconds) in otherForms { try table.setCreatedAt(milliseconds, id: id) }
        try stamp(unstamped, on: connection, table, &clock, &loaded)
        return loaded
    }

    private func insert(_ stored: StoredRow, into loaded: inout Loaded) {
        let digest = hasher.digest(stored.row, scratch: &loaded.scratch)
        loaded.index.insert(TreeIndex.Entry(digest: digest, reference: stored.reference))
    }

    private func stamp(
        _ ids: [Int64], on connection: borrowing Connection, _ table: RowTable,
        _ clock: inout HybridClock, _ loaded: inout Loaded
    ) throws(StoreError) {
        guard !ids.isEmpty else { return }
        let select = try Statement(
            "SELECT id, extern_id, todo, completed, created_at FROM todos WHERE id = ?1", on: connection)
        let dropTombstone = try Statement("DELETE FROM tombstones WHERE id = ?1", on: connection)
        for id in ids {
            try select.bind(id, at: 1)
            guard try select.step() else { continue }
            let todo = try unlessSpoilt(&loaded) { () throws(StoreError) in try select.foreignTodo(path: path) }
            select.reset()
            guard let todo else { continue }
            loaded.takenOverCount += 1
            var stamp = todo.takeOverStamp(nodeID, wall.milliseconds)
            if let tombstone = try table.tombstone(key: todo.key) {
                // Whoever inserted it saw that the todo was deleted, and wanted it back.
                stamp = Stamp(time: clock.next(wall, after: tombstone.row.latestStamp.time), origin: nodeID)
                try dropTombstone.bind(-tombstone.reference, at: 1)
                try dropTombstone.run()
                let entry = TreeIndex.Entry(
                    digest: hasher.digest(tombstone.row, scratch: &loaded.scratch), reference: tombstone.reference)
                loaded.index.remove(entry)
            }
            let row = todo.row(stamp: stamp)
            try table.insertStamps(of: row, id: id)
            if !todo.hasOneForm { try table.setCreatedAt(todo.createdAtMilliseconds, id: id) }
            insert(StoredRow(reference: id, row: row), into: &loaded)
        }
    }

    private func unlessSpoilt<Value>(
        _ loaded: inout Loaded, _ read: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        do throws(StoreError) {
            return try read()
        } catch .invalidRow where skipsSpoiltRows {
            loaded.spoiltCount += 1
            return nil
        }
    }
}
