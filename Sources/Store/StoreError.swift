/// What went wrong with the database.
///
/// Errors of `Store.open` leave the file as it was. After an error of a write nothing of it is visible; `ioError` alone
/// may leave a write that shows up after a crash, since the disk did not say how far it came.
package enum StoreError: Error, Hashable, Sendable {
    /// The file or its directory is missing, not writable, or no regular file, or the system is out of threads. Trying again
    /// helps once that is mended.
    case cannotOpen(path: String, reason: String)
    /// The file is not SQLite's. It was not touched; trying again does not help.
    case notADatabase(path: String)
    /// An SQLite database of some other program. It was not touched; trying again does not help.
    case foreign(path: String, found: String)
    /// Written by a later version of this program. It was not touched; trying again does not help.
    case newerVersion(path: String, found: Int, supported: Int)
    /// Another node has this file open. Trying again helps once that one has ended.
    case inUse(path: String)
    /// Another program has held a lock on the database for longer than the busy timeout. Nothing changed; try again.
    case busy(path: String)
    /// A row of `todos`, written by another program, cannot be taken over. Nothing changed; the row must be mended.
    case invalidRow(path: String, id: Int64, reason: String)
    /// A row is not as this program wrote it, and no other program has: damage, which reading everything anew takes care of. A
    /// tombstone's id is negative.
    case rowChanged(path: String, id: Int64)
    /// The todo bears a stamp of the year 9999, and no later one can follow: some clock was wrong by far.
    case stampsUsedUp
    /// No room. Nothing changed, reads go on, and writes succeed again when there is room.
    case diskFull(path: String)
    /// The disk or file system failed. See above for what may be left; trying again can help.
    case ioError(path: String, reason: String)
    /// The file is damaged. Restore it, or remove it and let the cluster fill a new one.
    case corrupt(path: String, reason: String)
    /// A key or text beyond `Row.maxKeyBytes` or `Row.maxTextBytes`. Nothing changed; trying again does not help.
    case tooLarge(bytes: Int, limit: Int)
    /// The condition of the write refused the todo as it is. Nothing changed.
    case refused
    /// More requests wait than the limit. Nothing was queued; try again later.
    case overloaded
    /// `close` was called. Nothing was queued.
    case closed
    /// Anything else SQLite may say, with its extended result code. Nothing changed.
    case failed(path: String, code: Int32, reason: String)

    /// Whether the disk or another program is the cause, so that other requests would fail alike.
    var concernsAllRequests: Bool {
        switch self {
        case .tooLarge, .refused, .failed, .stampsUsedUp, .invalidRow, .rowChanged: false
        case .cannotOpen, .notADatabase, .foreign, .newerVersion, .inUse, .busy, .diskFull, .ioError, .corrupt,
            .overloaded, .closed:
            true
        }
    }
}

extension StoreError: CustomStringConvertible {
    /// One sentence for the operator, with the path.
    package var description: String {
        switch self {
        case .cannotOpen(let path, let reason): "cannot open the database \(path): \(reason)"
        case .notADatabase(let path): "\(path) is not an SQLite database; it was left as it is"
        case .foreign(let path, let found):
            "\(path) is a database of another program (\(found)); it was left as it is"
        case .newerVersion(let path, let found, let supported):
            "\(path) has schema version \(found), but this program knows none above \(supported); use a newer program"
        case .inUse(let path): "\(path) is in use by another node"
        case .busy(let path): "\(path) is locked by another program"
        case .invalidRow(let path, let id, let reason):
            "\(path): the todo with id \(id) cannot be taken over: \(reason)"
        case .rowChanged(let path, let id): "\(path): the row \(id) was damaged"
        case .stampsUsedUp: "the todo was stamped in the year 9999, and no later write can follow"
        case .diskFull(let path): "no room left to write \(path)"
        case .ioError(let path, let reason): "reading or writing \(path) failed: \(reason)"
        case .corrupt(let path, let reason): "\(path) is damaged: \(reason)"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes are more than the limit of \(limit)"
        case .refused: "the todo is not as the write wants it"
        case .overloaded: "too many requests wait for the database"
        case .closed: "the database is closed"
        case .failed(let path, let code, let reason): "\(path): SQLite error \(code): \(reason)"
        }
    }
}
