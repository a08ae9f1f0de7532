internal import CSQLite

/// The write-ahead log and its shared memory, as they lie beside an open database.
///
/// SQLite keeps both open and does not notice when somebody removes them: commits would go into files that have no name, and
/// vanish with the process. While any connection is open SQLite itself neither removes nor replaces them.
struct LogFiles {
    private let paths: [String]
    private let identities: [FileIdentity]
    private let files: any FileSystem

    /// After the database was opened and written to. A file that is not there is not watched.
    init(database: String, in files: any FileSystem) {
        let all = ["-wal", "-shm"].map { database + $0 }
        paths = all.filter { files.identity(of: $0) != nil }
        identities = paths.compactMap { files.identity(of: $0) }
        self.files = files
    }

    /// The path of one that was removed or replaced. Takes about a microsecond.
    var missing: String? {
        for (path, identity) in zip(paths, identities) where files.identity(of: path) != identity { return path }
        return nil
    }

    /// SQLite's code for a page that could not be read, unless it is one for damage.
    private static func readFailure(_ report: String) -> Int32? {
        let words = "error code="
        guard let start = report.firstRange(of: words)?.upperBound,
            let code = Int32(report[start...].prefix { $0.isNumber })
        else { return nil }
        return [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xff) ? nil : code
    }

    /// Where a log with content lies beside the file, the last end was a crash, or the log is not this file's: somebody has put a backup in the
    /// place of the database and left the log. SQLite cannot tell, and writes pages of the one over those of the other. What is inconsistent
    /// then is refused, with file and log as they are. Takes about half a second per million rows. `false` after a clean end.
    static func checkLeftLog(
        _ connection: borrowing Connection, path: String, in files: any FileSystem
    ) throws(StoreError) -> Bool {
        guard files.size(of: path + "-wal") > 0 else { return false }
        var reason = "it cannot be read"
        do throws(StoreError) { reason = try connection.text("PRAGMA quick_check(1)") } catch .corrupt {}
        if reason == "ok" { return true }
        acs_keep_wal_on_close(connection.handle)
        // A read that failed is told in words. It says nothing of the log, which may hold all that was acknowledged.
        if let code = readFailure(reason) { throw .ioError(path: path, reason: "code \(code)") }
        throw .corrupt(
            path: path,
            reason:
                "with the log \(path)-wal beside it: \(reason). If it was put there from a backup, remove \(path)-wal and "
                + "\(path)-shm, which belong to the file before it, and start again")
    }
}
