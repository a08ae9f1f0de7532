internal import Replication
internal import Transport

/// The first transactions on a file. One brings it to this version, reads all of it and sees to what others wrote, so that a file
/// that is refused, for whatever reason, is as it was. The next one notes the start.
struct Opening {
    let nodeID: NodeID
    private(set) var loaded = Loader.Loaded()
    /// Its bound is durable.
    private(set) var clock: HybridClock
    private(set) var streamStart: UInt64 = 0
    /// As of when the rows were read.
    private(set) var dataVersion: Int64 = 0

    init(
        _ connection: borrowing Connection, _ configuration: StoreConfiguration, path: String, checksIndexes: Bool
    ) throws(StoreError) {
        let wall = configuration.wallClock()
        var opening: Self
        do throws(StoreError) {
            opening = try Self.read(connection, configuration, path, wall, checksIndexes: checksIndexes)
        } catch .corrupt(let path, let reason) {
            // Perhaps of an index alone, of which a change has met an entry.
            guard !checksIndexes else { throw .corrupt(path: path, reason: reason) }
            opening = try Self.read(connection, configuration, path, wall, checksIndexes: true)
        }
        // Only now: so the mark of a file that is made is in its header from the first moment.
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw .cannotOpen(path: path, reason: "its file system does not support a write-ahead log")
        }
        try connection.transaction { () throws(StoreError) in
            // To SQLite a file is another one after its log was switched on, and another program may have been in between.
            if try connection.integer("PRAGMA data_version") != opening.dataVersion {
                try opening.load(
                    Loader(
                        path: path, nodeID: opening.nodeID, hasher: configuration.hasher, wall: wall,
                        skipsSpoiltRows: false, checksIndexes: false), connection)
            }
            opening.streamStart = try Self.nextStreamStart(connection, wall.milliseconds)
        }
        self = opening
    }

    private static func read(
        _ connection: borrowing Connection, _ configuration: StoreConfiguration, _ path: String, _ wall: WallReading,
        checksIndexes: Bool
    ) throws(StoreError) -> Self {
        try connection.transaction { () throws(StoreError) in
            let isTakeOver = try Schema.migrate(connection, path: path, newNodeID: configuration.newNodeID)
            let nodeID = NodeID(UInt64(bitPattern: try connection.integer("SELECT node_id FROM node")))
            let bound = HybridTime(
                rawValue: UInt64(bitPattern: try connection.integer("SELECT clock_bound FROM node")))
            var opening = Self(nodeID: nodeID, clock: HybridClock(bound: bound))
            try opening.load(
                Loader(
                    path: path, nodeID: nodeID, hasher: configuration.hasher, wall: wall, skipsSpoiltRows: false,
                    checksIndexes: checksIndexes, isTakeOver: isTakeOver), connection)
            return opening
        }
    }

    private init(nodeID: NodeID, clock: HybridClock) {
        self.nodeID = nodeID
        self.clock = clock
    }

    private mutating func load(_ loader: borrowing Loader, _ connection: borrowing Connection) throws(StoreError) {
        let before = loaded.changes
        loaded = try loader.load(connection, &clock)
        loaded.changes += before
        dataVersion = try connection.integer("PRAGMA data_version")
        // What other programs wrote is stamped beyond the bound.
        if clock.latest > clock.bound, let bound = clock.reserve() {
            try ClockBound(clock.bound, on: connection).store(bound)
        }
    }

    /// Greater than at every earlier start of this file, and, since it follows the wall clock, most likely greater than
    /// in the later life of a file that was restored from an old backup.
    private static func nextStreamStart(_ connection: borrowing Connection, _ now: Int64) throws(StoreError) -> UInt64 {
        let last = try connection.integer("SELECT stream_start FROM node")
        let next = max(last &+ 1, now)
        try connection.execute("UPDATE node SET stream_start = \(next)")
        return UInt64(bitPattern: next)
    }
}
