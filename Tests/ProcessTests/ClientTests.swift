import Foundation
import Testing

/// A program that shares no code with the nodes, in another language, listens to what one of them publishes.
@Suite("Independent client", .serialized, .enabled(if: Client.isAvailable, "needs ZeroMQ and its client"))
struct ClientTests {
    @Test("it prints what was created, changed and deleted, one object a line")
    func clear() async throws {
        let cluster = try TestCluster(3, transport: "zmq")
        try await cluster.startAll()
        let client = try Client(of: cluster)
        // What was published before it listened is not repeated.
        var earlyCount = 0
        try await cluster.eventually("the client hears", within: 10) {
            try await cluster[0].create("early-\(earlyCount)", "x")
            earlyCount += 1
            try await Task.sleep(for: .milliseconds(100))
            return client.process.output.contains("\n")
        }
        let key = "käse \"🦀\""
        try await cluster[0].create(key, "first text")
        try await cluster.eventually("created", within: 5) {
            try client.rows(of: key).last == Client.Row(extern_id: key, text: "first text", deleted: false)
        }
        try await cluster[0].update(key, ["todo": "second text"])
        try await cluster.eventually("changed", within: 5) {
            try client.rows(of: key).last?.text == "second text"
        }
        try await cluster[0].delete(key)
        try await cluster.eventually("deleted", within: 5) { try client.rows(of: key).last?.deleted == true }
        #expect(client.process.isRunning)
        client.process.crash()
    }

    @Test("it gets nothing from a cluster with a key, and gives up")
    func sealed() async throws {
        let cluster = try TestCluster(3, transport: "zmq", keys: { _ in ClusterTests.key(1) })
        try await cluster.startAll()
        let client = try Client(of: cluster)
        var count = 0
        try await cluster.eventually("the client gives up", within: 15) {
            try await cluster[0].create("todo-\(count)", "x")
            count += 1
            try await Task.sleep(for: .milliseconds(50))
            return !client.process.isRunning
        }
        #expect(client.process.waitForExit(seconds: 1)?.status != 0)
        #expect(client.process.output.isEmpty)
        try await cluster.converged(count: count, within: 5)
    }
}

/// The client, as a process.
private struct Client {
    struct Row: Decodable, Equatable {
        var extern_id: String
        /// `nil`: not changed.
        var text: String?
        var deleted: Bool
    }

    static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/zmq_changes.py").standardized.path

    static var isAvailable: Bool {
        Transports.all.contains("zmq") && FileManager.default.fileExists(atPath: script)
    }

    let process: NodeProcess

    /// Listens to the first node.
    init(of cluster: TestCluster) throws {
        process = try NodeProcess(
            command: [
                "/bin/sh", "-c", #"exec /usr/bin/python3 "$0" "$1" 2>errors.log"#, Self.script,
                cluster.members[0].address,
            ], in: cluster.directory, log: "client.log")
    }

    /// What it printed of that todo, as it came. A line that is not yet whole is left out.
    func rows(of key: String) throws -> [Row] {
        let output = process.output
        let whole = output[..<(output.lastIndex(of: "\n") ?? output.startIndex)]
        return try whole.split(separator: "\n").map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
            .filter { $0.extern_id == key }
    }
}
