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
    /// When it throws, the todos are as they were: a file of an older version may have been brought to this one. A file that
    /// is not ours was not even opened for writing.
    init(_ configuration: StoreConfiguration, readerCount: Int) throws(StoreError) {
        let file = try DatabaseFile(configuration.path, in: configuration.files)
        let vfsName = configuration.files.vfsName
        path = file.path
        lock = try file.lock()
        try Self.checkForeign(file, vfsName)
        let now = configuration.wallClock().milliseconds
        let connection = try Connection(path: path, mode: .readWrite, vfsName: vfsName)
        let takenOverCount = try Self.prepare(connection, configuration, path, now)
        let nodeID = NodeID(UInt64(bitPattern: try connection.integer("SELECT node_id FROM node")))
        let bound = HybridTime(
            rawValue: UInt64(bitPattern: try connection.integer("SELECT clock_bound FROM node")))
        let loader = Loader(
            path: path, nodeID: nodeID, hasher: configuration.hasher, wall: configuration.wallClock(),
            skipsSpoiltRows: false)
        var clock = HybridClock(bound: bound)
        let (loaded, streamStart, dataVersion) = try connection.transaction { () throws(StoreError) in
            let loaded = try loader.load(connection, &clock)
            // After all has been read: a damaged file is left as it is.
            let streamStart = try Self.nextStreamStart(connection, now)
            return (loaded, streamStart, try connection.integer("PRAGMA data_version"))
        }
        var changes = loaded.changes
        changes.takenOver += takenOverCount
        let shared = SharedIndex(loaded.index, changes: changes)
        committed = BatchQueue<EncodedRow>(
            maxBytes: Self.maxCommittedBytes, maxCount: Self.maxCommittedRows, size: { $0.bytes.count })
        let rows = try RowWriter(
            on: connection, nodeID: nodeID, hasher: configuration.hasher, wallClock: configuration.wallClock,
            clock: clock)
        core = try WriterCore(
            path: path, connection: connection, rows: rows, bound: bound, dataVersion: dataVersion,
            logFiles: LogFiles(database: path, in: configuration.files),
            news: CommitNews(
                shared: shared, committed: committed, onCommit: configuration.onCommit,
                onOutsideChanges: configuration.onOutsideChanges))
        var readers: [Reader] = []
        for _ in 0..<readerCount { readers.append(try Reader(path: path, vfsName: vfsName)) }
        self.readers = readers
        queue = WriteQueue(maxRequests: configuration.maxWaitingRequests, maxBytes: configuration.maxWaitingBytes)
        self.rows = IndexedRows(shared: shared, hasher: configuration.hasher)
        self.nodeID = nodeID
        self.streamStart = streamStart
    }

    /// Greater than at every earlier start of this file, and, since it follows the wall clock, most likely greater than
    /// in the later life of a file that was restored from an old backup.
    private static func nextStreamStart(_ connection: borrowing Connection, _ now: Int64) throws(StoreError) -> UInt64 {
        let last = try connection.integer("SELECT stream_start FROM node")
        let next = max(last &+ 1, now)
        try connection.execute("UPDATE node SET stream_start = \(next)")
        return UInt64(bitPattern: next)
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

    /// Migrates, and sets the connection up. Returns how many of the seed's rows were taken over.
    private static func prepare(
        _ connection: borrowing Connection, _ configuration: StoreConfiguration, _ path: String, _ now: Int64
    ) throws(StoreError) -> Int {
        guard !connection.isReadOnly else { throw .cannotOpen(path: path, reason: "the file is read-only") }
        try connection.execute(
            """
            PRAGMA synchronous = \(configuration.synchronous.rawValue.uppercased());
            PRAGMA cache_size = -8000;
            PRAGMA temp_store = MEMORY;
            PRAGMA secure_delete = FAST;
            """)
        // Looked at again with the log, if there is one, rolled back or replayed.
        if try connection.integer("PRAGMA application_id") != Int64(Schema.applicationID),
            case .foreign(let found) = try SeedDatabase.classify(connection)
        {
            throw .foreign(path: path, found: found)
        }
        try LogFiles.checkLeftLog(connection, path: path, in: configuration.files)
        // Before WAL is switched on: so the mark in the file's header is there from the first moment.
        let migration = try Schema.migrate(
            connection, path: path, nowMilliseconds: now, newNodeID: configuration.newNodeID)
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw .cannotOpen(path: path, reason: "its file system does not support a write-ahead log")
        }
        try connection.execute(
            "PRAGMA wal_autocheckpoint = \(configuration.checkpointPages); PRAGMA journal_size_limit = 67108864")
        return migration.takenOverCount
    }
}
