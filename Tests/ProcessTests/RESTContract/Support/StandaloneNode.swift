import Foundation
import Testing

/// A node that stands alone, in a directory of its own that goes with it.
final class StandaloneNode {
    struct NotReady: Error, CustomStringConvertible {
        var output: String
        var description: String { "not ready: \(output)" }
    }

    let directory: URL
    let client: RawClient
    private(set) var process: NodeProcess

    var database: SQLiteFile { SQLiteFile(directory.appendingPathComponent("todos.db").path) }

    /// Starts a node in a zone that is not UTC, and waits until it is ready.
    ///
    /// - Parameter prepare: fills the database before.
    init(prepare: (SQLiteFile) throws -> Void = { _ in }) async throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        client = RawClient(port: try FreePorts.take(1)[0])
        try prepare(SQLiteFile(directory.appendingPathComponent("todos.db").path))
        process = try Self.start(in: directory, port: client.port)
        try await ready()
    }

    /// Stops it as an operator does, and starts it again.
    func restart() async throws {
        process.signal(SIGTERM)
        #expect(process.waitForExit(seconds: 10) == NodeProcess.Exit(status: 0, wasSignal: false))
        process = try Self.start(in: directory, port: client.port)
        try await ready()
    }

    private static func start(in directory: URL, port: Int) throws -> NodeProcess {
        try NodeProcess(
            ["-port", "\(port)", "-db", "todos.db", "-node-name", "contract"], in: directory, log: "node.log",
            launcher: ["/usr/bin/env", "TZ=NST-05:45"])
    }

    private func ready() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while process.isRunning, ContinuousClock.now < deadline {
            if (try? await client.get("/health/ready").status) == 200 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw NotReady(output: process.output)
    }

    deinit {
        process.crash()
        try? FileManager.default.removeItem(at: directory)
    }
}
