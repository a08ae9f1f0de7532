internal import Replication

/// What the writer thread owns: the one connection that writes, and how requests become transactions.
///
/// For one thread at a time: `Store.open` makes it, then the writer thread takes it over.
final class WriterCore {
    let connection: Connection
    let rows: RowWriter
    private let path: String
    private let begin: Statement
    private let commit: Statement
    private var clockBound: ClockBound
    private var dataVersion: DataVersion
    private let news: CommitNews
    private let logFiles: LogFiles

    /// `dataVersion`: as of when the rows were read. `bound`: the durable one.
    init(
        path: String, connection: consuming Connection, rows: RowWriter, bound: HybridTime, dataVersion: Int64,
        logFiles: LogFiles, news: CommitNews
    ) throws(StoreError) {
        self.path = path
        self.rows = rows
        begin = try Statement("BEGIN IMMEDIATE", on: connection)
        commit = try Statement("COMMIT", on: connection)
        clockBound = try ClockBound(bound, on: connection)
        self.dataVersion = try DataVersion(dataVersion, on: connection)
        self.connection = connection
        self.news = news
        self.logFiles = logFiles
    }

    /// Works until the queue is closed and empty, then leaves a database without a log.
    func run(_ queue: WriteQueue) {
        while let work = queue.next() { process(work) }
        finish()
    }

    /// The last act of a clean end.
    func finish() {
        // Nothing later than `latest` was given out, so a restart need not skip ahead to the reserved bound. Neither of
        // these two must succeed.
        try? clockBound.store(rows.clock.latest)
        try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Writes `work` in one transaction, or in one for each where it is to blame itself, shows it, and answers.
    func process(_ work: [WriteQueue.Work]) {
        do throws(StoreError) {
            news.publish(try transactionWithRoom(work))
            for piece in work { piece.answer() }
        } catch {
            // One request must not fail its neighbours: each gets a transaction of its own.
            if work.count > 1, !error.concernsAllRequests {
                for piece in work { process([piece]) }
            } else {
                for piece in work { piece.fail(error) }
            }
        }
    }

    /// On a full disk the log may be what fills it: it is moved into the database, cut off, and the work tried again.
    private func transactionWithRoom(_ work: [WriteQueue.Work]) throws(StoreError) -> CommitNews.Item {
        do throws(StoreError) {
            return try transaction(work)
        } catch {
            switch error {
            case .diskFull:
                try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return try transaction(work)
            case .corrupt:
                // Perhaps of an index alone: reading everything sees to that.
                return try transaction(work, readsAnew: true)
            case .rowChanged:
                // Damage that was met in passing: reading everything sees to it, unless the file is damaged in more than rows.
                do throws(StoreError) { return try transaction(work, readsAnew: true) } catch .rowChanged(_, let id) {
                    throw .corrupt(path: path, reason: "the row \(id) is found damaged again and again")
                }
            default: throw error
            }
        }
    }

    /// Runs the work in one durable transaction. When it throws, nothing has changed but the clock, which keeps its
    /// advance.
    private func transaction(
        _ work: [WriteQueue.Work], readsAnew: Bool = false
    ) throws(StoreError) -> CommitNews.Item {
        guard !connection.hasMoved else { throw .ioError(path: path, reason: "the file was removed or renamed") }
        if let missing = logFiles.missing {
            // What was acknowledged is in that log alone.
            try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            throw .ioError(path: path, reason: "\(missing) was removed or replaced; restart the node")
        }
        try begin.run()
        // Only now: the begin waits for other programs that have the database locked.
        let start = ContinuousClock.now
        do throws(StoreError) {
            let version = try dataVersion.current()
            // Another program wrote while this one runs. Nobody should, but the tree must not go wrong over it.
            let isKnown = version == dataVersion.known && !readsAnew
            let reloaded = isKnown ? nil : try rows.reload(connection, path: path)
            for piece in work { try piece.run(self) }
            let bound = rows.reserveTime()
            if bound != clockBound.durable { try clockBound.store(bound) }
            try commit.run()
            clockBound.durable = bound
            dataVersion.known = version
            return CommitNews.Item(reloaded: reloaded, changes: rows.takeChanges(), duration: .now - start)
        } catch {
            connection.rollBack()
            _ = rows.takeChanges()
            throw error
        }
    }
}

/// The bound of the clock as the database has it. The clock's own runs ahead of it when a transaction was rolled back.
struct ClockBound: ~Copyable {
    fileprivate(set) var durable: HybridTime
    private let update: Statement

    init(_ durable: HybridTime, on connection: borrowing Connection) throws(StoreError) {
        self.durable = durable
        update = try Statement("UPDATE node SET clock_bound = ?1", on: connection)
    }

    /// Within the caller's transaction.
    func store(_ bound: HybridTime) throws(StoreError) {
        try update.bind(bound.rawValue, at: 1)
        try update.run()
    }
}
