package import Membership
package import Replication
package import Transport

/// The todos of this node in one SQLite file, all writes durable before they are acknowledged.
///
/// One thread writes, sharing commits among all requests that wait; others read, and never wait for it. A write whose
/// task is cancelled is carried out all the same.
package final class Store: ReplicaStore, Sendable {
    /// The random id of this database, made with it: the origin in all stamps of this node.
    package let nodeID: NodeID
    /// Names this start among all starts of this database: greater each time.
    package let streamStart: UInt64
    /// Each row that a local write changed, in the order of the commits. One consumer; when it falls behind, the oldest
    /// rows are dropped, and anti-entropy repairs that.
    package let committed: BatchQueue<EncodedRow>

    private let path: String
    private let files: any FileSystem
    let rows: IndexedRows
    let writer: Writer
    let readers: ReaderPool

    init(
        path: String, files: any FileSystem, nodeID: NodeID, streamStart: UInt64, committed: BatchQueue<EncodedRow>,
        rows: IndexedRows, writer: Writer, readers: ReaderPool
    ) {
        self.path = path
        self.files = files
        self.nodeID = nodeID
        self.streamStart = streamStart
        self.committed = committed
        self.rows = rows
        self.writer = writer
        self.readers = readers
    }

    /// Lets the threads end in their own time; `close` waits for them.
    deinit {
        readers.beginClose()
        writer.queue.close()
        committed.finish()
    }

    // MARK: Reading

    /// `nil` when there is no such todo.
    package func todo(id: Int64) async throws(StoreError) -> Todo? {
        try await readers.read(.short) { (reader) throws(StoreError) in try reader.todo(id: id) }
    }

    /// `nil` when there is no such todo. Compared byte for byte.
    package func todo(externID: String) async throws(StoreError) -> Todo? {
        try await readers.read(.short) { (reader) throws(StoreError) in try reader.todo(externID: externID) }
    }

    package func todo(_ address: TodoAddress) async throws(StoreError) -> Todo? {
        switch address {
        case .id(let id): try await todo(id: id)
        case .externID(let externID): try await todo(externID: externID)
        }
    }

    /// At most `limit` todos behind `cursor`, the newest first, those of one moment by descending id; only completed or
    /// only open ones if `isCompleted` is given. Of one moment; a todo created meanwhile never shows twice.
    package func page(
        after cursor: TodoCursor? = nil, limit: Int, isCompleted: Bool? = nil
    ) async throws(StoreError) -> [Todo] {
        guard limit > 0 else { return [] }
        return try await readers.read(.long) { (reader) throws(StoreError) in
            try reader.todos(after: cursor, limit: limit, isCompleted: isCompleted)
        }
    }

    /// Visible todos. A counter in memory: cheap.
    package var todoCount: Int { rows.shared.read { $0.todoCount } }

    /// Root and count of the hash tree, tombstones included. Cheap.
    package var summary: TreeSummary { rows.shared.read { $0.tree.summary } }

    // MARK: Writing

    /// `externID` is compared byte for byte. The lengths that REST allows are REST's to check; here only
    /// `Row.maxKeyBytes` and `Row.maxTextBytes` hold.
    package func create(externID: String, text: String) async throws(StoreError) -> CreateOutcome {
        try await write(.create(externID: externID, text: text))
    }

    /// Writes the registers that are given, even with the value they have. `nil` when there is no such todo; without
    /// any register just the todo. Throws `refused` when there is one that does not meet `condition`.
    package func update(
        _ address: TodoAddress, text: String? = nil, isCompleted: Bool? = nil, if condition: TodoCondition? = nil
    ) async throws(StoreError) -> Todo? {
        if text == nil && isCompleted == nil {
            let todo = try await todo(address)
            if let todo, let condition, !condition.isMet(by: todo) { throw .refused }
            return todo
        }
        return try await write(.update(address, text: text, isCompleted: isCompleted, if: condition))
    }

    /// `false` when there is no such todo. Throws `refused` when there is one that does not meet `condition`.
    package func delete(
        _ address: TodoAddress, if condition: TodoCondition? = nil
    ) async throws(StoreError) -> Bool {
        try await write(.delete(address, if: condition))
    }

    // MARK: Members, counters, end

    /// What `saveKnownMembers` saved last, in order of the names; rows whose address cannot be read are left out.
    package func knownMembers() async throws(StoreError) -> [KnownMember] {
        try await readers.read(.long) { (reader) throws(StoreError) in try reader.knownMembers() }
    }

    /// Replaces the saved members.
    package func saveKnownMembers(_ members: [KnownMember]) async throws(StoreError) {
        try await write(bytes: members.count * 64) { (core) throws(StoreError) in
            try core.connection.replaceKnownMembers(with: members)
        }
    }

    /// Rows that were found since this store was opened, then included, not to be as this node wrote them.
    package var outsideChanges: OutsideChanges { rows.shared.outsideChanges }

    /// Rows of `todos` that another program has spoilt while this store was open (a `created_at` that is no date), as of
    /// the last write. They are hidden and not replicated; mend them with `sqlite3` before the next start, which refuses
    /// them.
    package var spoiltCount: Int { rows.shared.spoiltCount }

    /// What the writer has done since the start.
    package var commitStatistics: CommitStatistics { rows.shared.commitStatistics }

    /// Local writes and merges that wait for the writer now. Cheap.
    package var waitingWriteCount: Int { writer.queue.waitingCount }

    /// Bytes of the database file and of the log beside it, as the file system says; 0 for one that is not there. Asks the
    /// disk: not for the cooperative pool.
    package func fileSizes() -> (database: Int64, log: Int64) {
        (files.size(of: path), files.size(of: path + "-wal"))
    }

    /// Answers what waits, moves the log into the database and closes the file. Later calls of anything that waits
    /// throw `closed`; `close` itself may be called again.
    package func close() async {
        // Readers first: the writer can then shorten the log to nothing.
        await readers.close()
        await writer.close()
        committed.finish()
    }

    private func write<Value>(_ write: TodoWrite<Value>) async throws(StoreError) -> Value {
        try await self.write(bytes: write.bytes, write.body)
    }

    /// Runs `body` in a transaction that it may share with others, and waits until that is durable. `bytes`: of what `body` holds,
    /// for the bound of what waits.
    func write<Value: Sendable>(
        bytes: Int = 0, _ body: @escaping @Sendable (WriterCore) throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            writer.queue.submit(LocalWrite(bytes: bytes, reply: { continuation.resume(returning: $0) }, body))
        }
        return try result.get()
    }
}
