internal import Replication
internal import Transport

/// What the writer thread owns: the one connection that writes, the clock, and how requests become transactions.
///
/// For one thread at a time: `Store.open` makes it, then the writer thread takes it over.
final class WriterCore {
    private let path: String
    private let nodeID: NodeID
    private let hasher: RowHasher
    private let wallClock: @Sendable () -> Int64
    private let shared: SharedIndex
    private let committed: BatchQueue<EncodedRow>
    private let onCommit: @Sendable (CommitReport) -> Void
    private let connection: Connection
    private let table: RowTable
    private let begin: Statement
    private let commit: Statement
    private let storeBound: Statement
    private let readDataVersion: Statement
    private var clock: HybridClock
    /// The bound in the database. `clock.bound` runs ahead of it when a transaction was rolled back.
    private var durableBound: HybridTime
    /// Changes when another program has written.
    private var dataVersion: Int64

    init(
        _ configuration: StoreConfiguration, path: String, connection: consuming Connection, nodeID: NodeID,
        clock: HybridClock, dataVersion: Int64, shared: SharedIndex, committed: BatchQueue<EncodedRow>
    ) throws(StoreError) {
        self.path = path
        self.nodeID = nodeID
        hasher = configuration.hasher
        wallClock = configuration.wallClock
        self.shared = shared
        self.committed = committed
        onCommit = configuration.onCommit
        table = try RowTable(on: connection)
        begin = try Statement("BEGIN IMMEDIATE", on: connection)
        commit = try Statement("COMMIT", on: connection)
        storeBound = try Statement("UPDATE node SET clock_bound = ?1", on: connection)
        readDataVersion = try Statement("PRAGMA data_version", on: connection)
        self.connection = connection
        self.clock = clock
        durableBound = clock.bound
        self.dataVersion = dataVersion
    }

    /// Works until the queue is closed and empty, then leaves a database without a log.
    func run(_ queue: WriteQueue) {
        while let work = queue.next() { process(work) }
        // Nothing later than `latest` was given out, so a restart need not skip ahead to the reserved bound. Neither of
        // these two must succeed.
        try? store(bound: clock.latest)
        try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// What one transaction does beside the database, once it is durable.
    private struct Effects {
        var reloaded: Loader.Loaded?
        var dataVersion: Int64
        var duration = Duration.zero
        var changes: [RowChange] = []
        var localRows: [EncodedRow] = []
        var replies: [() -> Void] = []
    }

    private func process(_ work: [WriteQueue.Work]) {
        do throws(StoreError) {
            publish(try transactionWithRoom(work))
        } catch {
            // One request must not fail its neighbours: each gets a transaction of its own.
            if work.count > 1, !error.concernsAllRequests {
                for piece in work { process([piece]) }
            } else {
                for piece in work {
                    switch piece {
                    case .local(let request): request.fail(error)
                    case .merge(let request, _): request.fail(error)
                    }
                }
            }
        }
    }

    /// On a full disk the log may be what fills it: it is moved into the database, cut off, and the work tried again.
    private func transactionWithRoom(_ work: [WriteQueue.Work]) throws(StoreError) -> Effects {
        do throws(StoreError) {
            return try transaction(work)
        } catch {
            guard case .diskFull = error else { throw error }
            try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return try transaction(work)
        }
    }

    /// Runs the work in one durable transaction. When it throws, nothing has changed but the clock, which keeps its
    /// advance.
    private func transaction(_ work: [WriteQueue.Work]) throws(StoreError) -> Effects {
        guard !connection.hasMoved else { throw .ioError(path: path, reason: "the file was removed or renamed") }
        try begin.run()
        // Only now: the begin waits for other programs that have the database locked.
        let start = ContinuousClock.now
        do throws(StoreError) {
            var effects = Effects(dataVersion: dataVersion)
            try reloadIfChanged(&effects)
            for piece in work {
                switch piece {
                case .local(let request): try execute(request, &effects)
                case .merge(let request, let range): try merge(request, range, &effects)
                }
            }
            _ = clock.reserve()
            let bound = clock.bound
            if bound != durableBound { try store(bound: bound) }
            try commit.run()
            durableBound = bound
            effects.duration = .now - start
            return effects
        } catch {
            connection.rollBack()
            throw error
        }
    }

    private func publish(_ effects: Effects) {
        dataVersion = effects.dataVersion
        if let reloaded = effects.reloaded { shared.replace(with: reloaded) }
        if !effects.changes.isEmpty {
            shared.apply(effects.changes)
            onCommit(CommitReport(rowCount: effects.changes.count, duration: effects.duration))
        }
        if !effects.localRows.isEmpty { committed.append(effects.localRows) }
        for reply in effects.replies { reply() }
    }

    /// Another program wrote while this one runs. Nobody should, but the tree must not go wrong over it.
    private func reloadIfChanged(_ effects: inout Effects) throws(StoreError) {
        _ = try readDataVersion.step()
        effects.dataVersion = readDataVersion.integer(0)
        readDataVersion.reset()
        guard effects.dataVersion != dataVersion else { return }
        let loader = Loader(
            path: path, nodeID: nodeID, hasher: hasher, nowMilliseconds: wallClock(), skipsSpoiltRows: true)
        let loaded = try loader.load(connection, bound: max(clock.bound, clock.latest))
        clock.observe(loaded.latest)
        effects.reloaded = loaded
    }

    private func store(bound: HybridTime) throws(StoreError) {
        try storeBound.bind(bound.rawValue, at: 1)
        try storeBound.run()
    }

    // MARK: Requests

    private func execute(_ request: LocalRequest, _ effects: inout Effects) throws(StoreError) {
        switch request {
        case .create(let key, let text, let reply):
            let outcome = try create(key, text, &effects)
            effects.replies.append { reply.resume(returning: .success(outcome)) }
        case .update(let address, let text, let isCompleted, let condition, let reply):
            let old = try find(address)
            guard Self.allows(condition, old) else { return refuse(reply, &effects) }
            let todo = try old.map { (old) throws(StoreError) in try update(old, text, isCompleted, &effects) } ?? nil
            effects.replies.append { reply.resume(returning: .success(todo)) }
        case .delete(let address, let condition, let reply):
            let old = try find(address)
            guard Self.allows(condition, old) else { return refuse(reply, &effects) }
            if let old { try writeLocal(old.row.deleted(at: nextStamp()), over: old, &effects) }
            effects.replies.append { reply.resume(returning: .success(old != nil)) }
        case .saveKnownMembers(let members, let reply):
            try save(members)
            effects.replies.append { reply.resume(returning: .success(())) }
        case .limitPages(let count, let reply):
            _ = try connection.integer("PRAGMA max_page_count = \(count)")
            effects.replies.append { reply.resume(returning: .success(())) }
        }
    }

    /// What is not there has nothing to be refused.
    private static func allows(_ condition: TodoCondition?, _ old: StoredRow?) -> Bool {
        guard let condition, let old, let todo = Todo(id: old.reference, row: old.row) else { return true }
        return condition(todo)
    }

    /// After the commit as all answers: what the condition saw may have been written by a neighbour in it.
    private func refuse<Value>(_ reply: Reply<Value>, _ effects: inout Effects) {
        effects.replies.append { reply.resume(returning: .failure(.refused)) }
    }

    private func create(
        _ key: ByteString, _ text: ByteString, _ effects: inout Effects
    ) throws(StoreError) -> CreateOutcome {
        // A spoilt row still has its key.
        let isFree = try unlessSpoilt { () throws(StoreError) in try table.todo(key: key) == nil } ?? false
        guard isFree else { return .exists }
        let tombstone = try table.tombstone(key: key)
        let now = min(max(wallClock(), Row.createdRange.lowerBound), Row.createdRange.upperBound)
        var row = Row.created(key: key, text: text, atMilliseconds: now, stamp: nextStamp())
        // Later than all that is stored, since the clock has seen every stored stamp.
        if let tombstone { row = row.merged(with: tombstone.row) }
        let id = try writeLocal(row, over: tombstone, &effects)
        guard let todo = Todo(id: id, row: row) else {
            preconditionFailure("a create did not supersede what was stored: \(row.presence)")
        }
        return .created(todo)
    }

    private func update(
        _ old: StoredRow, _ text: ByteString?, _ isCompleted: Bool?, _ effects: inout Effects
    ) throws(StoreError) -> Todo? {
        guard text != nil || isCompleted != nil else { return Todo(id: old.reference, row: old.row) }
        let stamp = nextStamp()
        var row = old.row
        if let text { row.text = Register(text, stamp) }
        if let isCompleted { row.completed = Register(isCompleted, stamp) }
        return Todo(id: try writeLocal(row, over: old, &effects), row: row)
    }

    private func merge(
        _ request: MergeRequest, _ range: Range<Int>, _ effects: inout Effects
    ) throws(StoreError) {
        var outcome = MergeOutcome(isNews: [])
        outcome.isNews.reserveCapacity(range.count)
        for row in request.rows[range] {
            let stamp = row.row.latestStamp
            if stamp.time > request.latest {
                outcome.aheadCount += 1
                outcome.furthestAhead = max(outcome.furthestAhead ?? stamp, stamp)
                outcome.isNews.append(false)
            } else {
                outcome.isNews.append(try merge(row, &effects))
            }
        }
        effects.replies.append { request.finish(part: outcome) }
    }

    /// Whether the row was news. A spoilt row is left to whoever spoilt it.
    private func merge(_ encoded: EncodedRow, _ effects: inout Effects) throws(StoreError) -> Bool {
        let row = encoded.row
        guard row.isValid else { return false }
        let found = try unlessSpoilt { () throws(StoreError) in try table.row(key: row.key) }
        guard let old = found else { return false }
        let merged = old?.row.merged(with: row) ?? row
        guard merged != old?.row else { return false }
        clock.observe(row.latestStamp.time)
        try write(merged == row ? encoded : EncodedRow(merged), over: old, &effects)
        return true
    }

    private func save(_ members: [KnownMember]) throws(StoreError) {
        try connection.execute("DELETE FROM members")
        let insert = try Statement("REPLACE INTO members (name, node_id, address) VALUES (?1, ?2, ?3)", on: connection)
        for member in members {
            try insert.bind(member.name, at: 1)
            if let nodeID = member.nodeID {
                try insert.bind(nodeID.rawValue, at: 2)
            } else {
                try insert.bindNull(at: 2)
            }
            try insert.bind(member.address, at: 3)
            try insert.run()
        }
    }

    // MARK: Rows

    /// As for readers, there is no spoilt row.
    private func find(_ address: TodoAddress) throws(StoreError) -> StoredRow? {
        let found = try unlessSpoilt { () throws(StoreError) in
            switch address {
            case .id(let id): try table.todo(id: id)
            case .externID(let key): try table.todo(key: ByteString(key))
            }
        }
        return found ?? nil
    }

    /// `nil` in place of `invalidRow`.
    private func unlessSpoilt<Value>(_ read: () throws(StoreError) -> Value) throws(StoreError) -> Value? {
        do throws(StoreError) { return try read() } catch .invalidRow { return nil }
    }

    private func nextStamp() -> Stamp {
        Stamp(time: clock.next(wallMilliseconds: wallClock()), origin: nodeID)
    }

    @discardableResult
    private func writeLocal(
        _ row: Row, over old: StoredRow?, _ effects: inout Effects
    ) throws(StoreError) -> Int64 {
        let encoded = EncodedRow(row)
        effects.localRows.append(encoded)
        return try write(encoded, over: old, &effects)
    }

    @discardableResult
    private func write(
        _ row: EncodedRow, over old: StoredRow?, _ effects: inout Effects
    ) throws(StoreError) -> Int64 {
        let reference = try table.store(row.row, replacing: old)
        effects.changes.append(
            RowChange(
                old: old.map { TreeIndex.Entry(digest: hasher.digest(EncodedRow($0.row)), reference: $0.reference) },
                new: TreeIndex.Entry(digest: hasher.digest(row), reference: reference)))
        return reference
    }
}
