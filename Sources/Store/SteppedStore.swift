package import Membership
package import Replication
package import Transport

/// The store without threads: its caller is the writer and the reader, and says when a transaction begins, how much goes into
/// it and when it is made. For simulations, in which a seed decides that.
///
/// For one thread at a time. A store that is let go of without `close` is one whose process has died.
package final class SteppedStore {
    /// What a write did, or tried to do, to its todo.
    package struct Attempt: Sendable {
        package var before: Row?
        /// `nil` where nothing was written: there was no such todo, or one too many, or the condition refused it.
        package var after: EncodedRow?
    }

    private let opened: OpenedStore
    private let reader: Reader
    /// The transaction under way.
    private var batch: [WriteQueue.Work] = []

    /// Blocks and throws as `Store.open` does.
    package init(_ configuration: StoreConfiguration) throws(StoreError) {
        opened = try OpenedStore(configuration, readerCount: 1)
        reader = opened.readers[0]
    }

    package var nodeID: NodeID { opened.nodeID }
    package var streamStart: UInt64 { opened.streamStart }
    package var summary: TreeSummary { opened.rows.shared.read { $0.tree.summary } }
    /// See `Store.committed`.
    package var committed: BatchQueue<EncodedRow> { opened.committed }

    // MARK: Reading

    package func todo(externID: String) throws(StoreError) -> Todo? { try reader.todo(externID: externID) }

    package func knownMembers() throws(StoreError) -> [KnownMember] { try reader.knownMembers() }

    /// A row as the database has it, a tombstone included. Not while a transaction is made.
    package func row(key: ByteString) throws(StoreError) -> Row? { try opened.core.rows.row(key: key) }

    /// A question of a walk that changes nothing. Merges are submitted.
    package func answer(_ question: WalkQuestion) throws(StoreError) -> WalkAnswer {
        switch question {
        case .merge: preconditionFailure("a merge was asked of a reader")
        case .topSums: .topSums(opened.rows.topSums)
        case .bucketSums(let tops): .bucketSums(opened.rows.bucketSums(tops: tops))
        case .digests(let buckets, let limit): .digests(try opened.rows.digests(buckets, limit, reader))
        case .compare(let theirs, let limit): .compare(try opened.rows.compare(theirs, limit, reader))
        case .rows(let wants, let limit): .rows(try opened.rows.rows(wants, limit, reader))
        case .rest(let places, let limit): .rest(try opened.rows.rows(at: places, limit, reader))
        case .page(let after, let maxBytes): .page(try reader.page(after: after, maxBytes: maxBytes))
        }
    }

    /// What is wrong with the database as SQLite sees it, `nil` for nothing
    /// (https://sqlite.org/pragma.html#pragma_integrity_check).
    package func integrityFault() throws(StoreError) -> String? {
        let report = try opened.core.connection.text("PRAGMA integrity_check(1)")
        return report == "ok" ? nil : report
    }

    // MARK: Writing. Each waits for a transaction, or fails at once as `overloaded` or `tooLarge`.

    package func create(
        externID: String, text: String, then reply: @escaping (Result<CreateOutcome, StoreError>, [Attempt]) -> Void
    ) {
        submit(externID, reply) { () throws(StoreError) in try .create(externID: externID, text: text) }
    }

    package func update(
        externID: String, text: String?, isCompleted: Bool?, if condition: TodoCondition?,
        then reply: @escaping (Result<Todo?, StoreError>, [Attempt]) -> Void
    ) {
        submit(externID, reply) { () throws(StoreError) in
            try .update(.externID(externID), text: text, isCompleted: isCompleted, if: condition)
        }
    }

    package func delete(
        externID: String, if condition: TodoCondition?,
        then reply: @escaping (Result<Bool, StoreError>, [Attempt]) -> Void
    ) {
        submit(externID, reply) { .delete(.externID(externID), if: condition) }
    }

    package func merge(_ rows: [EncodedRow], then reply: @escaping (Result<MergeOutcome, StoreError>) -> Void) {
        opened.queue.submit(MergeRequest(rows: rows, reply: reply))
    }

    package func saveKnownMembers(
        _ members: [KnownMember], then reply: @escaping (Result<Void, StoreError>) -> Void
    ) {
        opened.queue.submit(
            LocalWrite(bytes: 0, reply: reply) { (core) throws(StoreError) in
                try core.connection.replaceKnownMembers(with: members)
            })
    }

    /// The write, with a look at the row before and after it. What a transaction that failed tried is told too: after an
    /// `ioError` it may be there.
    private func submit<Value: Sendable>(
        _ externID: String, _ reply: @escaping (Result<Value, StoreError>, [Attempt]) -> Void,
        _ make: () throws(StoreError) -> TodoWrite<Value>
    ) {
        let write: TodoWrite<Value>
        do throws(StoreError) { write = try make() } catch { return reply(.failure(error), []) }
        let key = ByteString(externID)
        var attempts: [Attempt] = []
        let request = LocalWrite(bytes: write.bytes, reply: { reply($0, attempts) }) {
            (core: WriterCore) throws(StoreError) -> Value in
            let before = try core.rows.row(key: key)
            let count = core.rows.changes.local.count
            let value = try write.body(core)
            let hasWritten = core.rows.changes.local.count > count
            attempts.append(Attempt(before: before, after: hasWritten ? core.rows.changes.local.last : nil))
            return value
        }
        opened.queue.submit(request)
    }

    // MARK: Transactions

    /// Whether a request waits, or a transaction is under way.
    package var isBusy: Bool { !batch.isEmpty || opened.queue.waitingCount > 0 }

    /// A transaction begins: the first of those that wait go into it, at most so many. `false` where none waits, or one is
    /// under way.
    package func beginTransaction(maxLocalRequests: Int = .max, maxMergeRows: Int = .max) -> Bool {
        guard batch.isEmpty else { return false }
        batch = opened.queue.takeNow(maxLocalRequests: maxLocalRequests, maxMergeRows: maxMergeRows)
        return !batch.isEmpty
    }

    /// Makes the transaction under way durable; its requests are answered within this call.
    package func commitTransaction() {
        let work = batch
        batch = []
        if !work.isEmpty { opened.core.process(work) }
    }

    /// A clean end: what waits is written, and the log moved into the database.
    package func close() {
        opened.queue.close()
        repeat { commitTransaction() } while beginTransaction()
        opened.core.finish()
        committed.finish()
    }

    deinit { opened.lock.release() }
}
