internal import Replication
internal import Transport

/// Sees to rows that are not as this node wrote them. For the thread of its connection, within the caller's transaction.
final class ChangedRows {
    /// A row and where it is.
    struct Placed {
        let reference: Int64
        let row: Row
    }

    /// What has become of a row.
    struct Outcome {
        var changes = OutsideChanges()
        /// No longer there; they were as written.
        var removed: [Placed] = []
        var inserted: [Placed] = []
    }

    /// Rows that another program has removed, replaced or renamed.
    struct Vanished {
        struct Removal {
            let key: ByteString
            /// The greatest time of its stamps.
            let time: HybridTime
        }

        var removals: [Removal] = []
        fileprivate var times: [ByteString: HybridTime] = [:]
        /// The greatest time among the rows whose keys are not known; `nil` without any.
        fileprivate var unknown: HybridTime?

        /// What a row that was inserted meanwhile may have replaced.
        func replaced(by key: ByteString) -> HybridTime? { [times[key], unknown].compactMap { $0 }.max() }

        fileprivate mutating func note(_ key: ByteString?, _ time: HybridTime) {
            guard let key else { return unknown = max(unknown ?? time, time) }
            if times[key] == nil { removals.append(Removal(key: key, time: time)) }
            times[key] = max(times[key] ?? time, time)
        }
    }

    let table: RowTable
    private let path: String
    private let nodeID: NodeID
    private let wall: WallReading
    private let isTakeOver: Bool
    private let foreign: Statement
    private let stored: Statement
    private let tombstone: Statement
    private let todoEntry: Statement
    private let tombstoneEntry: Statement

    /// `isTakeOver`: the rows without stamps are the seed's.
    init(
        on connection: borrowing Connection, path: String, nodeID: NodeID, wall: WallReading, isTakeOver: Bool
    ) throws(StoreError) {
        table = try RowTable(on: connection)
        self.path = path
        self.nodeID = nodeID
        self.wall = wall
        self.isTakeOver = isTakeOver
        foreign = try Statement(
            "SELECT id, extern_id, todo, completed, created_at FROM todos WHERE id = ?1", on: connection)
        stored = try Statement(RowColumns.todos + " WHERE t.id = ?1", on: connection)
        tombstone = try Statement(RowColumns.tombstones + " WHERE id = ?1", on: connection)
        // By the index: `+` keeps SQLite from looking the id up in the table, where the key was read.
        todoEntry = try Statement("SELECT 1 FROM todos WHERE extern_id = ?1 AND +id = ?2", on: connection)
        tombstoneEntry = try Statement(
            "SELECT 1 FROM tombstones WHERE extern_id = ?1 AND +id = ?2", on: connection)
    }

    /// Empties `removals`, and `stamps` of what has no row in `todos`.
    func takeVanished(hasOrphans: Bool, _ connection: borrowing Connection) throws(StoreError) -> Vanished {
        var vanished = Vanished()
        let columns = "presence_time, text_time, completed_time"
        try read("SELECT extern_id, \(columns) FROM removals", into: &vanished, connection)
        if !vanished.removals.isEmpty || vanished.unknown != nil { try connection.execute("DELETE FROM removals") }
        guard hasOrphans else { return vanished }
        let orphans = "id NOT IN (SELECT id FROM todos)"
        try read("SELECT NULL, \(columns) FROM stamps WHERE \(orphans)", into: &vanished, connection)
        try connection.execute("DELETE FROM stamps WHERE \(orphans)")
        return vanished
    }

    private func read(
        _ select: String, into vanished: inout Vanished, _ connection: borrowing Connection
    ) throws(StoreError) {
        let statement = try Statement(select, on: connection)
        while try statement.step() {
            let times = (Int32(1)...3).map { HybridTime(rawValue: statement.unsigned($0)) }
            let key = statement.isNull(0) ? nil : statement.validText(0)
            vanished.note(key.map { ByteString($0) }, times.max() ?? .zero)
        }
    }

    // MARK: What other programs wrote. Each throws `invalidRow` for a row that no todo can hold.

    /// The registers of `todos` row `id` that were edited become writes of this node.
    func restamp(_ id: Int64, _ clock: inout HybridClock, _ outcome: inout Outcome) throws(StoreError) {
        guard let todo = try foreignTodo(id), let old = try storedRow(id) else { return }
        guard let stamp = nextStamp(after: old.row.latestStamp.time, &clock) else {
            return try place(todo.row(stamp: .least), id, counting: \.damaged, &outcome)
        }
        var row = old.row
        if old.claim.edits.contains(.presence) {
            row = todo.row(stamp: stamp)
        } else {
            if old.claim.edits.contains(.text) { row.text = Register(todo.text, stamp) }
            if old.claim.edits.contains(.completed) { row.completed = Register(todo.isCompleted, stamp) }
        }
        try place(row, id, counting: \.edited, &outcome)
    }

    /// `todos` row `id`, which has no stamps, gets some: those of its creation, unless that is to come, or there was a row of its key.
    func stamp(
        _ id: Int64, _ vanished: Vanished, _ clock: inout HybridClock, _ outcome: inout Outcome
    ) throws(StoreError) {
        guard let todo = try foreignTodo(id) else { return }
        var stamp = todo.takeOverStamp(nodeID)
        if !isTakeOver {
            let isPast = todo.createdAtMilliseconds <= wall.milliseconds
            let created = Stamp(time: HybridTime(milliseconds: todo.createdAtMilliseconds), origin: nodeID)
            stamp = isPast ? created : nextStamp(after: .zero, &clock) ?? stamp
        }
        // Whoever inserted it saw that the todo was deleted, or had it before him, and wanted it so.
        let tombstone = try table.tombstone(key: todo.key)
        let replaced = [vanished.replaced(by: todo.key), tombstone?.row.latestStamp.time].compactMap { $0 }.max()
        if let replaced { stamp = nextStamp(after: replaced, &clock) ?? stamp }
        if let tombstone {
            try table.removeTombstone(id: -tombstone.reference)
            outcome.removed.append(Placed(reference: tombstone.reference, row: tombstone.row))
        }
        let row = todo.row(stamp: stamp)
        try table.insertStamps(of: EncodedRow(row), id: id)
        if !todo.hasOneForm { try table.setCreatedAt(todo.createdAtMilliseconds, id: id) }
        outcome.changes.takenOver += 1
        outcome.inserted.append(Placed(reference: id, row: row))
    }

    /// What was removed becomes a delete of this node, unless there is a row of that key again.
    func remove(
        _ removal: Vanished.Removal, _ clock: inout HybridClock, _ outcome: inout Outcome
    ) throws(StoreError) {
        let isThere: Bool
        do throws(StoreError) { isThere = try table.row(key: removal.key) != nil } catch .invalidRow { return }
        guard !isThere, let stamp = nextStamp(after: removal.time, &clock) else { return }
        let row = Row(key: removal.key, presence: Register(.deleted, stamp), text: nil, completed: nil)
        outcome.inserted.append(Placed(reference: try table.storeTombstone(EncodedRow(row), id: nil), row: row))
        outcome.changes.removed += 1
    }

    // MARK: Damage

    /// A damaged row keeps its values, as far as a todo can have them, with a stamp that every other copy beats.
    func demote(_ reference: Int64, _ outcome: inout Outcome) throws(StoreError) {
        if reference < 0 { return try demoteTombstone(id: -reference, &outcome) }
        guard let row = try salvagedTodo(reference) else { return }
        try checkKey(row, reference)
        if try table.tombstone(key: row.key) != nil {
            outcome.changes.damaged += 1
            return try table.removeTodo(id: reference)
        }
        try place(row, reference, counting: \.damaged, &outcome)
    }

    private func demoteTombstone(id: Int64, _ outcome: inout Outcome) throws(StoreError) {
        guard let row = try salvagedTombstone(id) else { return }
        try checkKey(row, -id)
        outcome.changes.damaged += 1
        outcome.inserted.append(Placed(reference: try table.storeTombstone(EncodedRow(row), id: id), row: row))
    }

    /// Throws `corrupt` where a damaged row has another key than its entry in the index: under which one the others have it is not known.
    func checkKey(of reference: Int64) throws(StoreError) {
        let row = reference < 0 ? try salvagedTombstone(-reference) : try salvagedTodo(reference)
        if let row { try checkKey(row, reference) }
    }

    private func checkKey(_ row: Row, _ reference: Int64) throws(StoreError) {
        guard row.isValid, try isIndexed(row.key, reference) else {
            let kind = reference < 0 ? "deleted todo" : "todo"
            throw .corrupt(
                path: path, reason: "the key of the \(kind) with id \(abs(reference)) is not the one in its index")
        }
    }

    /// Whether the index has this row under this key.
    func isIndexed(_ key: ByteString, _ reference: Int64) throws(StoreError) -> Bool {
        if reference < 0 {
            defer { tombstoneEntry.reset() }
            try tombstoneEntry.bind(key.string, at: 1)
            try tombstoneEntry.bind(-reference, at: 2)
            return try tombstoneEntry.step()
        }
        defer { todoEntry.reset() }
        try todoEntry.bind(key.string, at: 1)
        try todoEntry.bind(reference, at: 2)
        return try todoEntry.step()
    }

    private func salvagedTodo(_ id: Int64) throws(StoreError) -> Row? {
        defer { stored.reset() }
        try stored.bind(id, at: 1)
        return try stored.step() ? stored.salvagedRow() : nil
    }

    private func salvagedTombstone(_ id: Int64) throws(StoreError) -> Row? {
        defer { tombstone.reset() }
        try tombstone.bind(id, at: 1)
        guard try tombstone.step() else { return nil }
        return Row(
            key: tombstone.tombstoneRow().row.key, presence: Register(.deleted, .least), text: nil, completed: nil)
    }

    /// The row, where it is as it was written.
    func vouchedRow(_ reference: Int64) throws(StoreError) -> Row? {
        if reference < 0 {
            defer { tombstone.reset() }
            try tombstone.bind(-reference, at: 1)
            return try tombstone.step() ? try tombstone.vouchedRow(isTombstone: true)?.row : nil
        }
        defer { stored.reset() }
        try stored.bind(reference, at: 1)
        return try stored.step() ? try stored.vouchedRow(isTombstone: false)?.row : nil
    }

    // MARK: Rows

    private func place(
        _ row: Row, _ id: Int64, counting count: WritableKeyPath<OutsideChanges, Int>, _ outcome: inout Outcome
    ) throws(StoreError) {
        try table.rewrite(EncodedRow(row), id: id)
        outcome.changes[keyPath: count] += 1
        outcome.inserted.append(Placed(reference: id, row: row))
    }

    private func foreignTodo(_ id: Int64) throws(StoreError) -> ForeignTodo? {
        defer { foreign.reset() }
        try foreign.bind(id, at: 1)
        return try foreign.step() ? try foreign.foreignTodo(path: path) : nil
    }

    private func storedRow(_ id: Int64) throws(StoreError) -> StoredRow? {
        defer { stored.reset() }
        try stored.bind(id, at: 1)
        return try stored.step() ? try stored.todoRow() : nil
    }

    /// `nil` where no stamp may follow.
    private func nextStamp(after stored: HybridTime, _ clock: inout HybridClock) -> Stamp? {
        let time = clock.next(wall, after: stored)
        return time.milliseconds <= Row.latestStampMilliseconds ? Stamp(time: time, origin: nodeID) : nil
    }
}
