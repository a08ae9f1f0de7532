internal import Glibc

/// The files of the operating system.
package struct SystemFiles: FileSystem {
    package var vfsName: String? { nil }

    package init() {}

    package func resolve(_ name: String) throws(StoreError) -> String {
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw .cannotOpen(path: name, reason: "the path is empty or holds a NUL")
        }
        var status = stat()
        let path: String
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
        return path
    }

    /// The file must not be open in this process: see `FileLock`.
    package func beginning(of path: String, count: Int) throws(StoreError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .cannotOpen(path: path, reason: systemMessage(errno))
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: count)
        let found = read(descriptor, &bytes, count)
        guard found >= 0 else { throw .ioError(path: path, reason: systemMessage(errno)) }
        return Array(bytes.prefix(found))
    }

    package func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    package func identity(of path: String) -> FileIdentity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino))
    }

    package func lock(database: String) throws(StoreError) -> any DatabaseLock { try FileLock(database: database) }

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
