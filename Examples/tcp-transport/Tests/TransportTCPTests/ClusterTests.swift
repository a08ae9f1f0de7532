import Foundation
import FoundationNetworking
import Testing
import Transport
import TransportKit

/// Real nodes of the example's executable, in temporary directories.
@Suite("A cluster over TCP", .serialized)
struct ClusterTests {
    @Test(
        "A node that was killed has, after its restart, what was written meanwhile", .timeLimit(.minutes(3)),
        arguments: ["", Data(1...32).base64EncodedString()])
    func killAndRestart(key: String) async throws {
        let nodes = try Node.three(key: key)
        for node in nodes { try node.start() }
        try await agree(nodes, todos: 0)
        for number in 0..<60 { try await nodes[number % 3].create(number) }
        try await agree(nodes, todos: 60)
        await nodes[1].kill()
        for number in 60..<100 { try await nodes[number % 2 * 2].create(number) }
        try nodes[1].start()
        try await agree(nodes, todos: 100)
    }

    /// Waits until every node is ready, sees all of them alive, and has the same data.
    private func agree(_ nodes: [Node], todos: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            var infos: [Info] = []
            for node in nodes { if let info = try? await node.info() { infos.append(info) } }
            let isWhole = infos.count == nodes.count && Set(infos.map(\.fingerprint)).count == 1
            if isWhole, infos.allSatisfy({ $0.isSettled(members: nodes.count, todos: todos) }) { return }
            try #require(.now < deadline, "\(infos)\n\(nodes.map(\.log).joined(separator: "\n"))")
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// What `/health/info` says, as far as it is looked at.
private struct Info: Decodable {
    struct Member: Decodable { var status: String }

    var ready: Bool
    var transport: String?
    var members: [Member]
    var todo_count: Int
    var fingerprint: String

    func isSettled(members count: Int, todos: Int) -> Bool {
        ready && transport == "tcp" && todo_count == todos && members.filter { $0.status == "alive" }.count == count
    }
}

/// One process. It is killed with the last reference, and its directory goes.
private final class Node {
    private static let executable = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("tcp-node")

    private let directory: URL
    private let api: String
    private var process: Process?

    private init(_ name: String, port: UInt16, httpPort: UInt16, seeds: [UInt16], key: String) throws {
        api = "http://127.0.0.1:\(httpPort)"
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("tcp-node-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let configuration = """
            node:
              name: \(name)
              transport: { kind: tcp, bind_addr: "127.0.0.1:\(port)" }
              http: { host: 127.0.0.1, port: \(httpPort) }
              database: { path: "./\(name).db" }
            cluster:
              seeds: [\(seeds.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", "))]
              encrypt_key: "\(key)"
            """
        try Data(configuration.utf8).write(to: directory.appendingPathComponent("node.yaml"))
        try Data().write(to: directory.appendingPathComponent("log"))
    }

    deinit {
        if let process, process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: directory)
    }

    static func three(key: String) throws -> [Node] {
        // Below those that the system gives to outgoing connections: a node's port is free while it is down.
        var sockets: [StreamSocket] = []
        var ports: [UInt16] = []
        while ports.count < 6 {
            let address = PeerAddress(host: .v4(0x7f00_0001), port: .random(in: 20_000..<32_000))
            guard let (socket, _) = try? StreamSocket.listen(on: address) else { continue }
            sockets.append(socket)
            ports.append(address.port)
        }
        for socket in sockets { socket.close() }
        return try (0..<3).map {
            try Node("node-\($0)", port: ports[$0], httpPort: ports[3 + $0], seeds: Array(ports[..<3]), key: key)
        }
    }

    func start() throws {
        let process = Process()
        let log = try FileHandle(forWritingTo: directory.appendingPathComponent("log"))
        try log.seekToEnd()
        (process.executableURL, process.currentDirectoryURL) = (Self.executable, directory)
        process.arguments = ["-config", "node.yaml"]
        (process.standardOutput, process.standardError) = (log, log)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    /// As `kill -9` does.
    func kill() async {
        guard let process else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        while process.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
    }

    func create(_ number: Int) async throws {
        let todo = Data(#"{"extern_id": "todo-\#(number)", "todo": "Number \#(number)"}"#.utf8)
        let (status, body) = try await request("POST", "/todos", todo)
        try #require(status == 201, "\(String(decoding: body, as: UTF8.self))")
    }

    func info() async throws -> Info {
        try JSONDecoder().decode(Info.self, from: await request("GET", "/health/info").1)
    }

    private func request(_ method: String, _ path: String, _ body: Data? = nil) async throws -> (Int, Data) {
        var request = URLRequest(url: try #require(URL(string: api + path)))
        (request.httpMethod, request.httpBody, request.timeoutInterval) = (method, body, 20)
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let (data, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
    }

    var log: String { (try? String(contentsOf: directory.appendingPathComponent("log"), encoding: .utf8)) ?? "" }
}
