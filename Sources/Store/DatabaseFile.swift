internal import Glibc

/// The database file as it lies on the disk, looked at without SQLite and without a trace.
struct DatabaseFile {
    enum Content: Equatable {
        /// No file, or an empty one.
        case nothing
        /// Not SQLite's.
        case other
        case database(applicationID: Int32, userVersion: Int32)
    }

    /// Absolute and without symbolic links, so that one file has one name.
    let path: String

    /// Throws `cannotOpen` unless the file could be opened or created for writing.
    init(_ name: String) throws(StoreError) {
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw .cannotOpen(path: name, reason: "the path is empty or holds a NUL")
        }
        var status = stat()
        if stat(name, &status) == 0 {
            guard let resolved = Self.resolved(name) else {
                throw .cannotOpen(path: name, reason: systemMessage(errno))
            }
            path = resolved
            switch status.st_mode & S_IFMT {
            case S_IFREG: break
            case S_IFDIR: throw .cannotOpen(path: path, reason: "it is a directory")
            default: throw .cannotOpen(path: path, reason: "it is not a regular file")
            }
            guard access(path, R_OK | W_OK) == 0 else {
                throw .cannotOpen(path: path, reason: systemMessage(errno))
            }
        } else {
            guard errno == ENOENT else { throw .cannotOpen(path: name, reason: systemMessage(errno)) }
            let (directory, file) = Self.split(name)
            guard !file.isEmpty, file != ".", file != "..", let resolved = Self.resolved(directory) else {
                throw .cannotOpen(path: name, reason: "there is no directory \(directory)")
            }
            path = resolved == "/" ? "/" + file : resolved + "/" + file
        }
        let (directory, _) = Self.split(path)
        guard access(directory, W_OK | X_OK) == 0 else {
            throw .cannotOpen(path: path, reason: "the directory is not writable: \(systemMessage(errno))")
        }
    }

    /// What the header says. The file must not be open in this process: see `FileLock`.
    func content() throws(StoreError) -> Content {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return .nothing }
            throw .cannotOpen(path: path, reason: systemMessage(errno))
        }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        let count = read(descriptor, &header, header.count)
        guard count >= 0 else { throw .ioError(path: path, reason: systemMessage(errno)) }
        if count == 0 { return .nothing }
        guard count == header.count, header.starts(with: "SQLite format 3\0".utf8) else { return .other }
        // "The Database Header", sqlite.org/fileformat2.html §1.3: user version at 60, application id at 68.
        func word(_ start: Int) -> Int32 {
            Int32(bitPattern: header[start..<(start + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        return .database(applicationID: word(68), userVersion: word(60))
    }

    /// Whether a log with content lies beside the file: the file alone does not tell what is in the database then.
    func hasCompanion(_ suffix: String) -> Bool {
        var status = stat()
        return stat(path + suffix, &status) == 0 && status.st_size > 0
    }

    /// 0 where there is none.
    static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    private static func resolved(_ name: String) -> String? {
        guard let resolved = realpath(name, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func split(_ name: String) -> (directory: String, file: String) {
        guard let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", name) }
        let directory = name[..<slash]
        return (directory.isEmpty ? "/" : String(directory), String(name[name.utf8.index(after: slash)...]))
    }
}
