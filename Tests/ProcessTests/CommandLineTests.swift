import Foundation
import Testing

@Suite("Command line of the built executable", .serialized)
struct CommandLineTests {
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    @Test("-keygen prints a key of 32 bytes first, as a word of its own")
    func keygen() throws {
        let (exit, output) = try run(["-keygen"])
        #expect(exit.status == 0)
        let word = try #require(output.split(whereSeparator: \.isWhitespace).first)
        #expect(Data(base64Encoded: String(word))?.count == 32)
        #expect(output.contains("encrypt_key"))
    }

    @Test("wrong keys are reported all at once by their paths, with status 2, and nothing is created")
    func wrongConfiguration() throws {
        let yaml = "node:\n  nmae: x\n  http: { port: 99999 }\n  database: { path: ./made.db, synchronous: maybe }\n"
        try yaml.write(to: directory.appendingPathComponent("bad.yaml"), atomically: true, encoding: .utf8)
        let (exit, output) = try run(["-config", "bad.yaml"])
        #expect(exit.status == 2)
        for path in ["node.nmae", "node.http.port", "node.database.synchronous"] { #expect(output.contains(path)) }
        #expect(!FileManager.default.fileExists(atPath: directory.appendingPathComponent("made.db").path))
    }

    @Test("clock shows a file's stamps, also under a running node; --restamp wants it stopped, and leaves a copy")
    func clock() async throws {
        let port = try FreePorts.take(1)[0]
        let node = try NodeProcess(["-db", "todos.db", "-port", "\(port)"], in: directory, log: "node.log")
        let rest = REST(host: "127.0.0.1", port: port)
        for _ in 0..<1_000 where await !rest.isReady { try await Task.sleep(for: .milliseconds(10)) }
        _ = try await rest.create("k", "text")
        let shown = try run(["clock", "todos.db"])
        #expect(shown.exit.status == 0)
        #expect(shown.output.contains("clock bound") && shown.output.contains("0 of 1 rows are stamped ahead"))
        let restamp = ["clock", "todos.db", "--restamp", "--at", "2026-01-01T00:00:00Z"]
        let refused = try run(restamp)
        #expect(refused.exit.status == 1 && refused.output.contains("in use by another node"))
        node.signal(SIGTERM)
        #expect(node.waitForExit(seconds: 10)?.status == 0)
        let done = try run(restamp)
        #expect(done.exit.status == 0 && done.output.contains("Restamped 1 rows"))
        #expect(try SQLiteFile(directory.path + "/todos.db.before-restamp").rows("SELECT todo FROM todos") == ["text"])
        let again = try run(restamp)
        #expect(again.exit.status == 1 && again.output.contains("before-restamp"))
    }

    @Test("a foreign database is named, with status 1, and left as it was")
    func foreignDatabase() throws {
        let file = directory.appendingPathComponent("foreign.db")
        let bytes = Data("this is a letter, not a database, and long enough to be looked at twice".utf8)
        try bytes.write(to: file)
        let (exit, output) = try run(["-db", "foreign.db", "-port", "0"])
        #expect(exit.status == 1)
        #expect(output.contains("foreign.db"))
        #expect(try Data(contentsOf: file) == bytes)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["foreign.db", "out.log"])
    }

    @Test(
        "a port in use, for HTTP or for the cluster, is named in one sentence, with status 1",
        arguments: Transports.all)
    func portInUse(transport: String) async throws {
        let ports = try FreePorts.take(4)
        let first = try NodeProcess(
            [
                "-port", "\(ports[0])", "-bind-addr", "127.0.0.1:\(ports[1])", "-transport", transport,
                "-node-name", "a", "-db", "a.db",
            ], in: directory, log: "first.log")
        let rest = REST(port: ports[0])
        let deadline = ContinuousClock.now + .seconds(20)
        while await !rest.isReady, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        let (http, httpOutput) = try run(["-port", "\(ports[0])", "-db", "b.db"])
        #expect(http.status == 1)
        #expect(httpOutput.contains("\(ports[0])"))
        let (cluster, clusterOutput) = try run(
            [
                "-port", "\(ports[2])", "-bind-addr", "127.0.0.1:\(ports[1])", "-transport", transport,
                "-node-name", "b", "-db", "c.db",
            ])
        #expect(cluster.status == 1)
        #expect(clusterOutput.contains("127.0.0.1:\(ports[1])"))
        if transport == "zmq" {
            let (publishing, output) = try run(
                [
                    "-port", "\(ports[2])", "-bind-addr", "127.0.0.1:\(ports[3])", "-transport", transport,
                    "-publish-addr", "127.0.0.1:\(ports[1])", "-node-name", "b", "-db", "d.db",
                ])
            #expect(publishing.status == 1)
            #expect(output.contains("127.0.0.1:\(ports[1])"))
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(["b.db", "c.db", "d.db"].allSatisfy { !left.contains($0) }, "a new file is left: \(left)")
        let (same, sameOutput) = try run(["-port", "\(ports[2])", "-db", "a.db"])
        #expect(same.status == 1)
        #expect(sameOutput.contains("a.db"))
        first.signal(SIGTERM)
        #expect(first.waitForExit(seconds: 5) == NodeProcess.Exit(status: 0, wasSignal: false))
    }

    @Test("SIGTERM and SIGINT end a node with status 0", arguments: [SIGTERM, SIGINT])
    func signals(number: Int32) async throws {
        let port = try FreePorts.take(1)[0]
        let node = try NodeProcess(["-port", "\(port)", "-db", "s.db"], in: directory, log: "s.log")
        let rest = REST(port: port)
        let deadline = ContinuousClock.now + .seconds(20)
        while await !rest.isReady, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        try await rest.create("k", "kept")
        node.signal(number)
        #expect(node.waitForExit(seconds: 5) == NodeProcess.Exit(status: 0, wasSignal: false))
        #expect(!FileManager.default.fileExists(atPath: directory.appendingPathComponent("s.db-wal").path))
    }

    private func run(_ arguments: [String]) throws -> (exit: NodeProcess.Exit, output: String) {
        try? FileManager.default.removeItem(at: directory.appendingPathComponent("out.log"))
        let process = try NodeProcess(arguments, in: directory, log: "out.log")
        let exit = try #require(process.waitForExit(seconds: 20), "still running: \(process.output)")
        return (exit, process.output)
    }
}
