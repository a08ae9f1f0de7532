import Foundation
import Testing

/// The direction of dependencies and the purity of the engines, read from the sources.
@Suite("Architecture")
struct ImportTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources")

    /// What each module may import beside the standard library.
    private static let allowed: [String: Set<String>] = [
        // A lock, and the C library's address functions.
        "Transport": ["Foundation", "Glibc"],
        // The C library's logarithm.
        "Membership": ["Transport", "Glibc"],
        "Replication": ["Transport"],
        // The C library's logarithm.
        "Reports": ["Glibc"],
        // A lock.
        "Prometheus": ["CoreMetrics", "Foundation", "Synchronization"],
        "Store": ["Replication", "Transport", "CSQLite", "Foundation", "Glibc", "Synchronization"],
        // Secret bytes and what is derived from them.
        "Keys": ["Transport", "CSodium"],
        "Benchmarks": [
            "CRawLimits", "CSockets", "Foundation", "Glibc", "Replication", "Reports", "Store", "Synchronization",
            "Transport",
        ],
        "TransportUDP": [
            "Transport", "CSockets", "CSodium", "Keys", "Foundation", "Glibc", "NIOConcurrencyHelpers", "NIOCore",
            "NIOPosix",
        ],
        "TransportZMQ": ["Transport", "CLibZMQ", "CSockets", "CSodium", "Foundation", "Glibc", "Keys"],
    ]

    @Test("modules import only what stands below them", arguments: allowed.keys.sorted())
    func imports(module: String) throws {
        let allowed = try #require(Self.allowed[module])
        for (file, text) in try Self.files(of: module) {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let place = words.firstIndex(of: "import"), place <= 2, !line.hasPrefix(" ") else { continue }
                let name = words[words.index(after: place)...].last.map { $0.split(separator: ".")[0] } ?? ""
                #expect(allowed.contains(String(name)), "\(file): \(line)")
            }
        }
    }

    @Test("engines know no time, no chance, no task and no lock", arguments: ["Membership", "Replication"])
    func purity(module: String) throws {
        for (file, text) in try Self.files(of: module) {
            for line in text.split(separator: "\n") {
                let code = line.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0]
                for word in ["await ", "Task", ".now", "Lock", "Mutex", "actor "] {
                    #expect(!code.contains(word), "\(file): \(line)")
                }
                #expect(!code.contains(".random(") || code.contains("using:"), "\(file): \(line)")
            }
        }
    }

    private static func files(of module: String) throws -> [(String, String)] {
        let folder = sources.appendingPathComponent(module)
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        #expect(!names.isEmpty)
        return try names.sorted().map {
            ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8))
        }
    }
}
