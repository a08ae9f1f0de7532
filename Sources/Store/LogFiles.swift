internal import CSQLite
internal import Glibc

/// The write-ahead log and its shared memory, as they lie beside an open database.
///
/// SQLite keeps both open and does not notice when somebody removes them: commits would go into files that have no name, and
/// vanish with the process. While any connection is open SQLite itself neither removes nor replaces them.
struct LogFiles {
    private struct Identity: Equatable {
        let device: dev_t
        let number: ino_t
    }

    private let paths: [String]
    private let identities: [Identity]

    /// After the database was opened and written to. A file that is not there is not watched.
    init(database: String) {
        let all = ["-wal", "-shm"].map { database + $0 }
        paths = all.filter { Self.identity($0) != nil }
        identities = paths.compactMap { Self.identity($0) }
    }

    /// The path of one that was removed or replaced. Takes about a microsecond.
    var missing: String? {
        for (path, identity) in zip(paths, identities) where Self.identity(path) != identity { return path }
        return nil
    }

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(device: status.st_dev, number: status.st_ino)
    }

    /// Where a log with content lies beside the file, the last end was a crash, or the log is not this file's: somebody has put a backup in the
    /// place of the database and left the log. SQLite cannot tell, and writes pages of the one over those of the other. What is inconsistent
    /// then is refused, with file and log as they are. Takes about half a second per million rows.
    static func checkLeftLog(_ connection: borrowing Connection, path: String) throws(StoreError) {
        var status = stat()
        guard stat(path + "-wal", &status) == 0, status.st_size > 0 else { return }
        let reason: String
        do throws(StoreError) {
            reason = try connection.text("PRAGMA quick_check(1)")
            if reason == "ok" { return }
        } catch .corrupt {
            reason = "it cannot be read"
        }
        acs_keep_wal_on_close(connection.handle)
        throw .corrupt(
            path: path,
            reason:
                "with the log \(path)-wal beside it: \(reason). If it was put there from a backup, remove \(path)-wal and "
                + "\(path)-shm, which belong to the file before it, and start again")
    }
}
