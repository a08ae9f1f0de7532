import Foundation
import Testing

/// One answer of `/metrics`, read.
struct Scrape {
    let text: String
    /// By name with labels, as they are written.
    private let samples: [String: Double]

    init(_ text: String) throws {
        self.text = text
        var samples: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let space = try #require(line.lastIndex(of: " "), "no value: \(line)")
            let name = String(line[..<space])
            #expect(samples[name] == nil, "twice: \(line)")
            let value: Double = try #require(Double(line[line.index(after: space)...]), "no number: \(line)")
            samples[name] = value
        }
        self.samples = samples
    }

    /// `nil` when there is none.
    subscript(_ series: String) -> Double? { samples[series] }

    /// Over all series of a family.
    func sum(_ name: String) -> Double {
        samples.reduce(0) { $1.key == name || $1.key.hasPrefix(name + "{") ? $0 + $1.value : $0 }
    }

    /// Counters and parts of histograms that are less than they were.
    func fallen(since earlier: Scrape) -> [String] {
        let counters = Set(
            text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") && !$0.hasSuffix(" gauge") }.map {
                String($0.split(separator: " ")[2])
            })
        return earlier.samples.filter { series, value in
            var name = series.prefix { $0 != "{" }
            for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
            return counters.contains(String(name)) && samples[series] ?? -1 < value
        }.keys.sorted()
    }
}

extension REST {
    func scrape() async throws -> Scrape {
        let response = try await request("GET", "/metrics")
        try #require(response.status == 200)
        return try Scrape(String(decoding: response.body, as: UTF8.self))
    }
}

/// Prometheus' own tool, from Debian's package (`scripts/install-missing`).
enum Promtool {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A file of this repository.
    static func file(_ path: String) -> String { root.appendingPathComponent(path).path }

    /// What it says; empty when it has nothing to complain of and ends with status 0.
    static func complaints(_ arguments: [String], about text: String = "") throws -> String {
        let installed = file(".build/tools/promtool")
        let path = FileManager.default.isExecutableFile(atPath: installed) ? installed : "/usr/bin/promtool"
        try #require(FileManager.default.isExecutableFile(atPath: path), "no promtool: run scripts/install-missing")
        let input = FileManager.default.temporaryDirectory.appendingPathComponent("scrape-\(UUID().uuidString)")
        try Data(text.utf8).write(to: input)
        defer { try? FileManager.default.removeItem(at: input) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: input)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let said = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return process.terminationStatus == 0 ? "" : "status \(process.terminationStatus): \(said)"
    }
}
