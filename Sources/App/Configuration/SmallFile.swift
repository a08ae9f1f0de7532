internal import Glibc

/// A file that is read into memory whole.
struct SmallFile {
    /// Why it cannot be had, for the operator.
    struct Failure: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    let bytes: [UInt8]
    /// Whether its mode lets any user of the machine read it.
    let isReadableByAll: Bool

    /// Blocks. Opens nothing else and creates nothing.
    init(_ path: String, maximumBytes: Int) throws(Failure) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw Failure(description: "expected the path of a file") }
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure("open", errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("read", errno) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure("read", errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else {
                throw Failure(description: "expected at most \(maximumBytes) bytes, found more")
            }
        }
        self.bytes = bytes
        isReadableByAll = status.st_mode & S_IROTH != 0
    }

    private static func failure(_ doing: String, _ code: CInt) -> Failure {
        Failure(description: "cannot \(doing) the file: \(String(cString: strerror(code)))")
    }
}
