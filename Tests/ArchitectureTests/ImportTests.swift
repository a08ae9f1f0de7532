import Foundation
import Testing

/// The direction of dependencies and the purity of the engines, read from the sources.
@Suite("Architecture")
struct ImportTests {
    /// What each module may import beside the standard library. A module that is not here does not pass.
    private static let allowed: [String: Set<String>] = [
        // The program: the transports by name, and nothing else.
        "Executable": ["AutoClusterSync", "TransportKit", "TransportUDP", "TransportZMQ"],
        // Everything but a plugin.
        "App": [
            "ArgumentParser", "Benchmarks", "CSodium", "Cluster", "Commands", "CoreMetrics", "DequeModule", "Dispatch",
            "Foundation", "Glibc", "HTTPTypes", "Hummingbird", "HummingbirdCore", "Keys", "Logging", "Membership",
            "NIOCore", "NIOHPACK", "NIOHTTP1", "NIOHTTP2", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOHTTPTypesHTTP2",
            "NIOPosix", "NIOSSL", "NIOTLS", "Prometheus", "Replication", "Reports", "Runtime", "ServiceLifecycle",
            "Store", "Transport", "TransportKit", "UnixSignals", "Yams",
        ],
        // The simulator as a program, and what all command lines share.
        "Simulator": ["ArgumentParser", "Commands"],
        "Commands": ["ArgumentParser", "Foundation", "Glibc", "Reports", "Runtime", "Simulation", "Transport"],
        // What a process asks of the system.
        "Runtime": ["Foundation", "Glibc", "Synchronization"],
        // The contract: an address's text is the C library's.
        "Transport": ["DequeModule", "Foundation", "Glibc"],
        // Secret bytes and what is derived from them.
        "Keys": ["CSodium", "Transport"],
        "TransportKit": [
            "CSockets", "DequeModule", "Foundation", "Glibc", "HeapModule", "Keys", "Runtime", "Transport",
        ],
        "TransportInMemory": ["Foundation", "Transport", "TransportKit"],
        "TransportUDP": [
            "CSockets", "CSodium", "DequeModule", "Foundation", "Glibc", "Keys", "NIOCore", "NIOPosix", "Transport",
            "TransportKit",
        ],
        "TransportZMQ": [
            "CLibZMQ", "CSockets", "CSodium", "DequeModule", "Foundation", "Glibc", "Keys", "Transport", "TransportKit",
        ],
        "TransportConformance": ["Foundation", "Testing", "Transport", "TransportKit"],
        // The engines. The C library's logarithm.
        "Membership": ["Glibc", "HeapModule", "Transport"],
        "Replication": ["DequeModule", "Transport"],
        // Both engines and the exchanges of a node.
        "Cluster": ["Membership", "Replication", "Transport"],
        "Store": [
            "CSQLite", "DequeModule", "Foundation", "Glibc", "Membership", "Replication", "Runtime", "Transport",
        ],
        // Models of the plugins that are named here are made of their own codecs.
        "Simulation": [
            "CSQLite", "Cluster", "DequeModule", "Foundation", "Membership", "Replication", "Reports", "Runtime",
            "Store", "Transport", "TransportKit", "TransportUDP", "TransportZMQ",
        ],
        "Benchmarks": [
            "CRawLimits", "CSockets", "Foundation", "Glibc", "Replication", "Reports", "Runtime", "Store",
            "Synchronization", "Transport",
        ],
        // The C library's logarithm.
        "Reports": ["Glibc"],
        // A lock.
        "Prometheus": ["CoreMetrics", "Foundation", "Synchronization"],
        "CLibZMQ": [], "CRawLimits": [], "CSQLite": [], "CSockets": [], "CSodium": [],
    ]

    @Test("Every folder of Sources is in the table")
    func completeness() { #expect(Set(Sources.modules).subtracting(Self.allowed.keys).sorted() == []) }

    @Test("Modules import only what stands below them", arguments: Sources.modules)
    func imports(module: String) throws {
        let allowed = Self.allowed[module, default: []]
        for line in try Sources.lines(of: module) {
            let words = line.code.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place <= 2, !line.code.hasPrefix(" ") else { continue }
            // `import class Foundation.NSLock` is one of Foundation.
            let name = words[words.index(after: place)...].last.map { $0.split(separator: ".")[0] } ?? ""
            #expect(allowed.contains(String(name)), "\(line)")
        }
    }

    @Test("Engines know no time, no chance, no task and no lock", arguments: ["Membership", "Replication", "Cluster"])
    func purity(module: String) throws {
        for line in try Sources.lines(of: module) {
            for word in ["await ", "Task", "ContinuousClock", "SuspendingClock", "Lock", "Mutex", "actor "] {
                #expect(!line.code.contains(word), "\(line)")
            }
            #expect(!Self.asksForTime(line.code), "\(line)")
            #expect(!line.code.contains(".random(") || line.code.contains("using:"), "\(line)")
        }
    }

    /// `.now` of a type or of something new is a clock's; that of a value was given to it.
    private static func asksForTime(_ code: Substring) -> Bool {
        code.ranges(of: ".now").contains { place in
            let owner = code[..<place.lowerBound].reversed().prefix { $0.isLetter || $0.isNumber }
            return owner.last.map(\.isUppercase) ?? true
        }
    }

    @Test("Only the program, the plugins, and what models or measures them name a plugin", arguments: Sources.modules)
    func pluginNames(module: String) throws {
        let named = ["Executable", "TransportUDP", "TransportZMQ", "Simulation", "Benchmarks"]
        guard !named.contains(module) else { return }
        for line in try Sources.lines(of: module) {
            let code = line.code.lowercased()
            for name in ["udp", "zmq", "zeromq"] { #expect(!code.contains(name), "\(line)") }
        }
    }
}

/// The Swift files below Sources, line by line.
private enum Sources {
    struct Line: CustomStringConvertible {
        var file: String
        var number: Int
        /// Without what is commented out.
        var code: Substring

        var description: String { "\(file):\(number): \(code)" }
    }

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources")

    static let modules: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }()

    /// Nothing of a module that is not there, or has no Swift.
    static func lines(of module: String) throws -> [Line] {
        let folder = folder.appendingPathComponent(module)
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        return try names.sorted().flatMap { name in
            let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return lines.enumerated().map { index, line in
                // A URL in a string has slashes too; what follows them is then not looked at.
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
                return Line(file: "\(module)/\(name)", number: index + 1, code: code)
            }
        }
    }
}
