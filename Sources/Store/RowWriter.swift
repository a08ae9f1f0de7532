internal import Replication
internal import Transport

/// What local writes and merges do to rows, within the transaction that `WriterCore` has begun; what they change is kept until
/// it ends.
///
/// For the writer's thread.
final class RowWriter {
    /// What a transaction has changed.
    struct Changes {
        var tree: [RowChange] = []
        /// Of local writes, in their order.
        var local: [EncodedRow] = []
    }

    private let table: RowTable
    private let nodeID: NodeID
    private let hasher: RowHasher
    private let wallClock: @Sendable () -> WallReading
    /// Keeps its advance when a transaction is rolled back.
    private(set) var clock: HybridClock
    /// Of the transaction so far.
    private(set) var changes = Changes()
    /// For bytes that are hashed only.
    private var scratch: [UInt8] = []

    init(
        on connection: borrowing Connection, nodeID: NodeID, hasher: RowHasher,
        wallClock: @escaping @Sendable () -> WallReading, clock: HybridClock
    ) throws(StoreError) {
        table = try RowTable(on: connection)
        self.nodeID = nodeID
        self.hasher = hasher
        self.wallClock = wallClock
        self.clock = clock
    }

    /// What was changed since the last call. To be asked at the end of each transaction, also of one that is rolled back.
    func takeChanges() -> Changes {
        defer { changes = Changes() }
        return changes
    }

    /// Reserves what the clock will need; what comes back is to be stored in the transaction.
    func reserveTime() -> HybridTime {
        _ = clock.reserve()
        return clock.bound
    }

    /// Reads everything anew, after another program has written.
    func reload(_ connection: borrowing Connection, path: String) throws(StoreError) -> Loader.Loaded {
        let loader = Loader(
            path: path, nodeID: nodeID, hasher: hasher, wall: wallClock(), skipsSpoiltRows: true, checksIndexes: true)
        return try loader.load(connection, &clock)
    }

    /// The row with this key as the transaction has it, a tombstone included.
    func row(key: ByteString) throws(StoreError) -> Row? { try table.row(key: key)?.row }

    // MARK: Local writes

    func create(_ key: ByteString, _ text: ByteString) throws(StoreError) -> CreateOutcome {
        // A spoilt row still has its key.
        let isFree = try unlessSpoilt { () throws(StoreError) in try table.todo(key: key) == nil } ?? false
        guard isFree else { return .exists }
        let tombstone = try table.tombstone(key: key)
        let wall = wallClock()
        let now = min(max(wall.shownMilliseconds, Row.createdRange.lowerBound), Row.createdRange.upperBound)
        var row = Row.created(
            key: key, text: text, atMilliseconds: now, stamp: try nextStamp(after: tombstone?.row, at: wall))
        if let tombstone { row = row.merged(with: tombstone.row) }
        let id = try writeLocal(row, over: tombstone)
        guard let todo = Todo(id: id, row: row) else {
            preconditionFailure("a create did not supersede what was stored: \(row.presence)")
        }
        return .created(todo)
    }

    /// `nil` when there is no such todo. Throws `refused`, before anything is written, when it does not meet the condition.
    func update(
        _ address: TodoAddress, text: ByteString?, isCompleted: Bool?, _ condition: TodoCondition?
    ) throws(StoreError) -> Todo? {
        guard let old = try find(address, condition) else { return nil }
        guard text != nil || isCompleted != nil else { return Todo(id: old.reference, row: old.row) }
        let stamp = try nextStamp(after: old.row)
        var row = old.row
        if let text { row.text = Register(text, stamp) }
        if let isCompleted { row.completed = Register(isCompleted, stamp) }
        return Todo(id: try writeLocal(row, over: old), row: row)
    }

    /// `false` when there is no such todo. Throws `refused`, before anything is written, when it does not meet the condition.
    func delete(_ address: TodoAddress, _ condition: TodoCondition?) throws(StoreError) -> Bool {
        guard let old = try find(address, condition) else { return false }
        try writeLocal(old.row.deleted(at: try nextStamp(after: old.row)), over: old)
        return true
    }

    // MARK: Merges

    /// The wall time as of now.
    var wallReading: WallReading { wallClock() }

    /// What came of a row.
    enum Merged: Equatable {
        /// Over a row with this greatest stamp.
        case news(over: Stamp?)
        case known, passedOver
    }

    /// A spoilt row is left to whoever spoilt it.
    func merge(_ encoded: EncodedRow, at wall: WallReading) throws(StoreError) -> Merged {
        let row = encoded.row
        guard row.isValid else { return .passedOver }
        let found = try unlessSpoilt { () throws(StoreError) in try table.row(key: row.key) }
        guard let stored = found else { return .passedOver }
        guard let old = stored else {
            clock.observe(row.latestStamp.time, at: wall)
            try write(encoded, over: nil)
            return .news(over: nil)
        }
        let merged = old.row.merged(with: row)
        guard merged != old.row else { return .known }
        clock.observe(row.latestStamp.time, at: wall)
        // The bytes that came are mostly the ones that stay.
        try write(merged == row ? encoded : EncodedRow(merged), over: old)
        return .news(over: old.row.latestStamp)
    }

    // MARK: Rows

    /// A spoilt row is not found, as for readers. What is not there has nothing to be refused.
    private func find(_ address: TodoAddress, _ condition: TodoCondition?) throws(StoreError) -> StoredRow? {
        let found = try unlessSpoilt { () throws(StoreError) in
            switch address {
            case .id(let id): try table.todo(id: id)
            case .externID(let key): try table.todo(key: ByteString(key))
            }
        }
        guard let stored = found ?? nil else { return nil }
        if let condition, let todo = Todo(id: stored.reference, row: stored.row), !condition.isMet(by: todo) {
            throw .refused
        }
        return stored
    }

    /// `nil` in place of `invalidRow`.
    private func unlessSpoilt<Value>(_ read: () throws(StoreError) -> Value) throws(StoreError) -> Value? {
        do throws(StoreError) { return try read() } catch .invalidRow { return nil }
    }

    private func nextStamp(after old: Row?, at wall: WallReading? = nil) throws(StoreError) -> Stamp {
        let time = clock.next(wall ?? wallClock(), after: old?.latestStamp.time ?? .zero)
        guard time.milliseconds <= Row.latestStampMilliseconds else { throw .stampsUsedUp }
        return Stamp(time: time, origin: nodeID)
    }

    @discardableResult
    private func writeLocal(_ row: Row, over old: StoredRow?) throws(StoreError) -> Int64 {
        let encoded = EncodedRow(row)
        let reference = try write(encoded, over: old)
        changes.local.append(encoded)
        return reference
    }

    @discardableResult
    private func write(_ row: EncodedRow, over old: StoredRow?) throws(StoreError) -> Int64 {
        let reference = try table.store(row, replacing: old)
        let digest = hasher.digest(row)
        let oldEntry = old.map { old in
            let rowHash = hasher.rowHash(old.row, scratch: &scratch)
            return TreeIndex.Entry(
                digest: RowDigest(keyHash: digest.keyHash, rowHash: rowHash), reference: old.reference)
        }
        changes.tree.append(
            RowChange(old: oldEntry, new: TreeIndex.Entry(digest: digest, reference: reference)))
        return reference
    }
}
