internal import Glibc

/// Reads a configuration file into memory, as a text.
enum ConfigurationFile {
    static let maximumBytes = 1 << 20

    /// The whole file, which is UTF-8. Opens nothing else and creates nothing.
    static func read(_ path: String) throws(ConfigurationError) -> String {
        func fault(_ message: String) -> ConfigurationError {
            ConfigurationError(path: path, faults: [ConfigurationFault(location: "", message: message)])
        }
        func fault(_ doing: String, _ code: CInt) -> ConfigurationError {
            fault("cannot \(doing) the file: \(String(cString: strerror(code)))")
        }
        guard !path.isEmpty, !path.utf8.contains(0) else { throw fault("expected the path of a file") }
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw fault("open", errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw fault("read", errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else { throw fault("expected at most \(maximumBytes) bytes, found more") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("expected UTF-8, found other bytes")
        }
        return text
    }

    /// What the system calls this machine, cut to what a node name may be; `node` when it has no usable name.
    static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.prefix(128).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return ValueRule<String>.nodeName.parse(name) ?? "node"
    }
}
