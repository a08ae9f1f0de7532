internal import Glibc

/// Keeps a second node off a database: an exclusive `flock` on `<database>-lock`, which the system drops when the
/// process dies, however it dies.
///
/// A file of its own, since SQLite's locks on the database let other programs read it, and closing any other descriptor
/// of a file that SQLite has open would drop SQLite's locks (fcntl(2), "Record locking").
///
/// `@unchecked Sendable`: immutable but for `descriptor`, which only the owner's last act, `release`, touches.
final class FileLock: DatabaseLock, @unchecked Sendable {
    private let path: String
    private var descriptor: Int32

    init(database: String) throws(StoreError) {
        path = database + "-lock"
        descriptor = -1
        while descriptor < 0 { descriptor = try Self.lock(path, database: database) }
    }

    deinit { release() }

    /// Removes the file and lets go of the lock. May be called more than once.
    func release() {
        guard descriptor >= 0 else { return }
        unlink(path)
        close(descriptor)
        descriptor = -1
    }

    /// -1 when the file that was locked is no longer the one at `path`: its owner has just removed it.
    private static func lock(_ path: String, database: String) throws(StoreError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw .cannotOpen(path: database, reason: "\(path) cannot be created: \(systemMessage(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { throw .inUse(path: database) }
            throw .cannotOpen(path: database, reason: "\(path) cannot be locked: \(systemMessage(code))")
        }
        var locked = stat()
        var current = stat()
        if fstat(descriptor, &locked) == 0, stat(path, &current) == 0, locked.st_ino == current.st_ino,
            locked.st_dev == current.st_dev
        {
            return descriptor
        }
        close(descriptor)
        return -1
    }
}

/// The system's words for an errno.
func systemMessage(_ code: Int32) -> String { String(cString: strerror(code)) }
