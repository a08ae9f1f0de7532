internal import Glibc

/// Reads a configuration file into memory, as a text.
enum ConfigurationFile {
    static let maximumBytes = 1 << 20

    /// The whole file, which is UTF-8. Opens nothing else and creates nothing.
    static func read(_ path: String) throws(ConfigurationError) -> String {
        func fault(_ message: String) -> ConfigurationError {
            ConfigurationError(path: path, faults: [ConfigurationFault(location: "", message: message)])
        }
        let file: SmallFile
        do throws(SmallFile.Failure) {
            file = try SmallFile(path, maximumBytes: maximumBytes)
        } catch {
            throw fault(error.description)
        }
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
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
