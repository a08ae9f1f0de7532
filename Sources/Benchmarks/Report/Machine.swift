internal import CRawLimits
internal import Glibc
internal import Runtime

/// What a figure was measured on.
package struct Machine: Encodable, Sendable {
    /// As `/proc/cpuinfo` names it.
    package var processor: String
    /// Online now.
    package var cores: Int
    /// In units of 2^20 bytes.
    package var memoryMegabytes: Int
    /// Release of the kernel.
    package var kernel: String
    /// The distribution, as it names itself.
    package var system: String
    /// Type of the file system that the databases are on.
    package var fileSystem: String
    /// Of this program.
    package var version: String
    /// Of the language that it was built with.
    package var swift: String
    /// Of the libraries as they are loaded.
    package var sqlite: String
    package var zeroMQ: String

    /// This one. `directory` is where databases are put, `version` that of this program.
    package init(directory: String, version: String) {
        processor = Self.value("model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown"
        cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        memoryMegabytes = sysconf(Int32(_SC_PHYS_PAGES)) / ((1 << 20) / sysconf(Int32(_SC_PAGESIZE)))
        kernel = KernelFile.text(of: "/proc/sys/kernel/osrelease")
        system = Self.value("PRETTY_NAME", in: "/etc/os-release", separator: "=")?.filter { $0 != "\"" } ?? "unknown"
        fileSystem = Self.fileSystem(of: directory)
        self.version = version
        swift = Self.swiftVersion
        sqlite = String(cString: rl_sqlite_version())
        zeroMQ = String(cString: rl_zmq_version())
    }

    var facts: [(String, String)] {
        [
            ("machine", "\(cores) cores, \(processor), \(memoryMegabytes) MB, \(fileSystem)"),
            ("system", "\(system), Linux \(kernel)"),
            ("versions", "auto-cluster-sync \(version), Swift \(swift), SQLite \(sqlite), libzmq \(zeroMQ)"),
        ]
    }

    private static var swiftVersion: String {
        #if swift(>=6.4)
        "6.4 or later"
        #elseif swift(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }

    private static func value(_ name: String, in path: String, separator: Character) -> String? {
        for line in KernelFile.text(of: path).split(separator: "\n") {
            let parts = line.split(separator: separator, maxSplits: 1)
            guard parts.count == 2, parts[0].filter({ $0 != "\t" }).drop(while: { $0 == " " }).hasPrefix(name) else {
                continue
            }
            return String(parts[1].drop { $0 == " " })
        }
        return nil
    }

    /// The type of the deepest mount that `directory` is under.
    private static func fileSystem(of directory: String) -> String {
        guard let resolved = realpath(directory, nil) else { return "unknown" }
        defer { free(resolved) }
        let path = String(cString: resolved)
        var best = (length: -1, type: "unknown")
        for line in KernelFile.text(of: "/proc/mounts").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 3 else { continue }
            let mount = String(fields[1])
            let isAbove = mount == "/" || path == mount || path.hasPrefix(mount + "/")
            if isAbove, mount.utf8.count >= best.length { best = (mount.utf8.count, String(fields[2])) }
        }
        return best.type
    }
}
