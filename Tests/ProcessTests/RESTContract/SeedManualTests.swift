import Foundation
import Testing

extension RESTContract {
    /// What the first version's manual shows works as it is written there.
    @Suite("The first version's manual")
    struct SeedManual {
        @Test("its curl commands are answered, one after the other")
        func curl() async throws {
            let node = try await StandaloneNode()
            let curl = try ShellCurl([node.client.port])
            func check(
                _ command: String, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation,
                _ isExpected: (AnyJSON) -> Bool
            ) async throws {
                let answer = try await curl.run(command)
                let json = answer.json ?? .text(answer.body)
                #expect(
                    answer.status == status && isExpected(json), "\(command)\n\(answer)", sourceLocation: sourceLocation
                )
            }
            try await check("curl http://localhost:8080/health/ready", 200) { $0["ready"] == .boolean(true) }
            try await check("curl http://localhost:8080/health/info", 200) { $0["todo_count"] == .number(0) }
            try await check("curl http://localhost:8080/todos", 200) { $0 == .array([]) }
            try await check(
                #"""
                curl -X POST http://localhost:8080/todos \
                  -H "Content-Type: application/json" \
                  -d '{"extern_id": "unique-id-123", "todo": "Buy groceries"}'
                """#, 201
            ) { $0.isTodo && $0["id"] == .number(1) && $0["todo"] == .text("Buy groceries") }
            try await check("curl http://localhost:8080/todos", 200) { $0.elements.map(\.isTodo) == [true] }
            try await check("curl http://localhost:8080/todos/1", 200) { $0["extern_id"] == .text("unique-id-123") }
            try await check(
                #"""
                curl -X PUT http://localhost:8080/todos/1 \
                  -H "Content-Type: application/json" \
                  -d '{"todo": "Buy groceries and cook dinner"}'
                """#, 200
            ) { $0["todo"] == .text("Buy groceries and cook dinner") && $0["completed"] == .boolean(false) }
            try await check(
                #"""
                curl -X PUT http://localhost:8080/todos/1 \
                  -H "Content-Type: application/json" \
                  -d '{"completed": true}'
                """#, 200
            ) { $0["todo"] == .text("Buy groceries and cook dinner") && $0["completed"] == .boolean(true) }
            try await check(
                #"""
                curl -X PUT http://localhost:8080/todos/1 \
                  -H "Content-Type: application/json" \
                  -d '{"todo": "Buy groceries and cook dinner", "completed": true}'
                """#, 200
            ) { $0["todo"] == .text("Buy groceries and cook dinner") && $0["completed"] == .boolean(true) }
            try await check("curl -X DELETE http://localhost:8080/todos/1", 204) { $0 == .text("") }
            try await check("curl http://localhost:8080/todos/1", 404) { $0["status"] == .number(404) }
        }

        @Test(
            "its configuration file is accepted, with and without a key, and flags take precedence",
            arguments: [false, true])
        func configuration(hasKey: Bool) async throws {
            let scene = try Scene()
            let (http, cluster) = (scene.ports[0], scene.ports[1])
            // As in the manual, but for the ports.
            var yaml = """
                # Log level: debug, info, warn, error (default: info)
                log_level: "info"

                node:
                  name: "node-1"
                  serf:
                    bind_addr: "127.0.0.1:\(cluster)"
                  http:
                    port: \(http)
                  database:
                    path: "./todos-node1.db"

                cluster:
                  seeds:
                    - "127.0.0.1:\(cluster)"
                  join_timeout: 10

                """
            if hasKey {
                let printed = try scene.start(["-keygen"])
                #expect(printed.waitForExit(seconds: 20)?.status == 0)
                let key = try #require(printed.output.split(whereSeparator: \.isWhitespace).first)
                yaml += "  encrypt_key: \"\(key)\"\n"
            }
            try yaml.write(
                to: scene.directory.appendingPathComponent("local_1.yaml"), atomically: true, encoding: .utf8)
            let first = try scene.start(["-config", "local_1.yaml"])
            try await scene.expectNode("node-1", at: http, isCluster: true, file: "todos-node1.db")
            first.signal(SIGTERM)
            #expect(first.waitForExit(seconds: 10)?.status == 0)

            let (otherHTTP, otherCluster) = (scene.ports[2], scene.ports[3])
            let second = try scene.start([
                "-config", "local_1.yaml", "-port", "\(otherHTTP)", "-db", "other.db", "-node-name", "other",
                "-serf-addr", "127.0.0.1:\(otherCluster)",
            ])
            try await scene.expectNode("other", at: otherHTTP, isCluster: true, file: "other.db", isReady: false)
            let members = try await RawClient(port: otherHTTP).get("/health/info").json?["members"]?.elements
            #expect(members?.map { $0["addr"] } == [.text("127.0.0.1:\(otherCluster)")])
            second.crash()
        }

        @Test("-port and -db alone make a node that stands alone")
        func flags() async throws {
            let scene = try Scene()
            let node = try scene.start([
                "-port", "\(scene.ports[0])", "-db", scene.directory.appendingPathComponent("flags.db").path,
            ])
            try await scene.expectNode(nil, at: scene.ports[0], isCluster: false, file: "flags.db")
            node.crash()
        }

        @Test("-h explains every flag, with status 0")
        func help() throws {
            let scene = try Scene()
            let process = try scene.start(["-h"])
            #expect(process.waitForExit(seconds: 20)?.status == 0)
            for flag in ["-config", "-port", "-db", "-node-name", "-serf-addr", "-keygen"] {
                #expect(process.output.contains(flag))
            }
        }
    }
}

/// A directory to run the executable in, and ports.
private final class Scene {
    let directory: URL
    let ports: [Int]
    private var count = 0

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        ports = try FreePorts.take(4)
    }

    func start(_ arguments: [String]) throws -> NodeProcess {
        count += 1
        return try NodeProcess(arguments, in: directory, log: "\(count).log")
    }

    /// Waits for the node, and checks who it says it is. `name`: any with `nil`.
    func expectNode(
        _ name: String?, at port: Int, isCluster: Bool, file: String, isReady: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let client = RawClient(port: port)
        try await eventually("a node at \(port)", sourceLocation: sourceLocation) {
            try await client.get(isReady ? "/health/ready" : "/health/info").status == 200
        }
        let info = try await client.get("/health/info").json
        #expect(name == nil || info?["node_name"]?.text == name, sourceLocation: sourceLocation)
        #expect(info?["cluster_mode"] == .boolean(isCluster), sourceLocation: sourceLocation)
        #expect(
            FileManager.default.fileExists(atPath: directory.appendingPathComponent(file).path),
            sourceLocation: sourceLocation)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}
