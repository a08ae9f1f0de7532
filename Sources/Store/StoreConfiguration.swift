package import Replication
internal import Runtime
package import Transport

/// Settings of one store.
package struct StoreConfiguration: Sendable {
    package enum Synchronous: String, Sendable, CaseIterable {
        /// A write is acknowledged when it is on the disk, and survives a power cut.
        case full
        /// A write is acknowledged when the operating system has it: a power cut may lose the last ones, a crash of
        /// this program does not.
        case normal
    }

    /// The database file. Its directory must exist.
    package var path: String
    package var synchronous: Synchronous = .full
    /// Hashes rows for the hash tree; of the cluster's key.
    package var hasher = RowHasher()
    /// The wall time. It may jump.
    package var wallClock: @Sendable () -> WallReading = { WallReading(milliseconds: WallClock.milliseconds()) }
    /// Writes, and reads, that may wait at once; one more fails with `overloaded`.
    package var maxWaitingRequests = 16_384
    /// Bytes of keys and texts that may wait to be written at once. A single request larger than that is let through
    /// when nothing else waits.
    package var maxWaitingBytes = 256 << 20

    /// Told of every commit that changed a row, by the writer thread, which waits for it: it must take no time.
    package var onCommit: @Sendable (CommitReport) -> Void = { _ in }
    /// Told of rows that were found not to be as this node wrote them while the store was open, as `onCommit` is of commits.
    package var onOutsideChanges: @Sendable (OutsideChanges) -> Void = { _ in }

    /// Pages of 4 KiB in the log after which it is moved into the database.
    package var checkpointPages = 4_000
    /// Where the file is.
    package var files: any FileSystem = SystemFiles()
    /// The id of a database that is new.
    package var newNodeID: @Sendable () -> NodeID = { NodeID(UInt64.random(in: 1...UInt64.max)) }

    package init(path: String) { self.path = path }
}
