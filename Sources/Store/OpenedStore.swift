internal import Replication
internal import Transport

/// A database that is open and read: what one writer and some readers need. Nothing runs over it yet: `Store` starts
/// threads, `SteppedStore` is driven by its caller.
///
/// For one thread at a time.
struct OpenedStore {
    /// Bounds of `committed`, which is drained at once by whoever broadcasts.
    private static let maxCommittedBytes = 16 << 20
    private static let maxCommittedRows = 65_536

    let path: String
    let nodeID: NodeID
    let streamStart: UInt64
    let rows: IndexedRows
    let committed: BatchQueue<EncodedRow>
    let core: WriterCore
    let readers: [Reader]
    let queue: WriteQueue
    /// To be released after the core's connection is closed.
    let lock: any DatabaseLock

    /// Opens, creates or takes over the database, and reads all of it: about a second per million rows.
    ///
    /// When it throws, the file is as it was, an older version and the seed's included. A file that is not ours was not even opened
    /// for writing.
    init(_ configuration: StoreConfiguration, readerCount: Int) throws(StoreError) {
        let file = try DatabaseFile(configuration.path, in: configuration.files)
        let vfsName = configuration.files.vfsName
        path = file.path
        lock = try file.lock()
        try Self.checkForeign(file, vfsName)
        let connection = try Connection(path: path, mode: .readWrite, vfsName: vfsName)
        let hasLog = try Self.prepare(connection, configuration, path)
        let opening = try Opening(connection, configuration, path: path, checksIndexes: hasLog)
        nodeID = opening.nodeID
        let shared = SharedIndex(opening.loaded.index, changes: opening.loaded.changes)
        committed = BatchQueue<EncodedRow>(
            maxBytes: Self.maxCommittedBytes, maxCount: Self.maxCommittedRows, size: { $0.bytes.count })
        let rows = try RowWriter(
            on: connection, nodeID: nodeID, hasher: configuration.hasher, wallClock: configuration.wallClock,
            clock: opening.clock)
        core = try WriterCore(
            path: path, connection: connection, rows: rows, bound: opening.clock.bound,
            dataVersion: opening.dataVersion,
            logFiles: LogFiles(database: path, in: configuration.files),
            news: CommitNews(
                shared: shared, committed: committed, onCommit: configuration.onCommit,
                onOutsideChanges: configuration.onOutsideChanges))
        var readers: [Reader] = []
        for _ in 0..<readerCount { readers.append(try Reader(path: path, vfsName: vfsName)) }
        self.readers = readers
        queue = WriteQueue(maxRequests: configuration.maxWaitingRequests, maxBytes: configuration.maxWaitingBytes)
        self.rows = IndexedRows(shared: shared, hasher: configuration.hasher)
        streamStart = opening.streamStart
    }

    /// Throws for a file that is neither ours nor one that can be taken over. Leaves the file and its log as they are.
    private static func checkForeign(_ file: DatabaseFile, _ vfsName: String?) throws(StoreError) {
        switch try file.content() {
        case .nothing: return
        case .other: throw .notADatabase(path: file.path)
        case .database(Schema.applicationID, let version): return try Schema.checkVersion(version, path: file.path)
        case .database: break
        }
        // With a log beside it, the log is part of the database, and reading it takes shared memory.
        // That file, `-shm`, stays: a program that opened the database meanwhile would go on with one that is unlinked.
        try inspect(file, vfsName, isImmutable: !file.hasCompanion("-wal"))
    }

    /// The connection ends with this function.
    private static func inspect(_ file: DatabaseFile, _ vfsName: String?, isImmutable: Bool) throws(StoreError) {
        let connection = try Connection(
            path: file.path, mode: .inspection(isImmutable: isImmutable), vfsName: vfsName)
        switch try SeedDatabase.classify(connection) {
        case .blank: break
        case .seed: try SeedDatabase.checkRows(of: connection, path: file.path)
        case .foreign(let found): throw .foreign(path: file.path, found: found)
        }
    }

    /// Sets the connection up, and looks at the file with its log, before anything is written. Returns whether a log was left.
    private static func prepare(
        _ connection: borrowing Connection, _ configuration: StoreConfiguration, _ path: String
    ) throws(StoreError) -> Bool {
        guard !connection.isReadOnly else { throw .cannotOpen(path: path, reason: "the file is read-only") }
        try connection.execute(
            """
            PRAGMA synchronous = \(configuration.synchronous.rawValue.uppercased());
            PRAGMA cache_size = -8000;
            PRAGMA temp_store = MEMORY;
            PRAGMA secure_delete = FAST;
            PRAGMA wal_autocheckpoint = \(configuration.checkpointPages);
            PRAGMA journal_size_limit = 67108864;
            """)
        // Looked at again with the log, if there is one, rolled back or replayed.
        if try connection.integer("PRAGMA application_id") != Int64(Schema.applicationID),
            case .foreign(let found) = try SeedDatabase.classify(connection)
        {
            throw .foreign(path: path, found: found)
        }
        return try LogFiles.checkLeftLog(connection, path: path, in: configuration.files)
    }
}
