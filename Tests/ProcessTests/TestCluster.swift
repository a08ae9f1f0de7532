import Foundation
import Testing

/// Nodes of one test on ports of their own, in a temporary directory that goes with it.
final class TestCluster {
    struct Member {
        var name: String
        var transport: String
        var host: String
        var httpPort: Int
        var port: Int
        /// Where it publishes; `nil`: wherever it likes, or its transport does not.
        var publishPort: Int?
        var key: String
        var process: NodeProcess?

        var address: String { "\(host):\(port)" }
        var rest: REST { REST(host: host, port: httpPort) }
        var configuration: String { "\(name).yaml" }
        var database: String { "\(name).db" }
    }

    let directory: URL
    private(set) var members: [Member] = []
    private let network: TestNetwork?
    private let disks: [Int: TestDisk]
    private let joinTimeout: Double
    private let isBootstrap: Bool
    private let seedName: String?
    /// Commands that become the nodes, by index.
    var launchers: [Int: [String]] = [:]

    /// Prepares `count` nodes with one transport.
    convenience init(
        _ count: Int, transport: String, seeds: ((Int) -> [Int])? = nil, keys: ((Int) -> String)? = nil,
        joinTimeout: Double = 10, isBootstrap: Bool = false, seedName: String? = nil,
        hasPublishPorts: Bool = false, network: TestNetwork? = nil,
        disks: [Int: TestDisk] = [:]
    ) throws {
        try self.init(
            count, transports: Array(repeating: transport, count: count), seeds: seeds, keys: keys,
            joinTimeout: joinTimeout, isBootstrap: isBootstrap, seedName: seedName, hasPublishPorts: hasPublishPorts,
            network: network,
            disks: disks)
    }

    /// Prepares `count` nodes; `seeds` gives for each node the indices of its seeds (default: all nodes), `keys` its
    /// cluster key. With a network each node runs on a host of that, else all run on 127.0.0.1. Nodes that publish do so
    /// at a port that is known before when `hasPublishPorts`. With `seedName` all have one port on hosts of their own, and one
    /// seed: that name, which leads to all of them. Databases lie in `directory`, but for nodes with a disk.
    init(
        _ count: Int, transports: [String], seeds: ((Int) -> [Int])? = nil, keys: ((Int) -> String)? = nil,
        joinTimeout: Double = 10, isBootstrap: Bool = false, seedName: String? = nil,
        hasPublishPorts: Bool = false, network: TestNetwork? = nil,
        disks: [Int: TestDisk] = [:]
    ) throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let ports = try FreePorts.take(count * 3)
        for index in 0..<count {
            members.append(
                Member(
                    name: "node-\(index + 1)", transport: transports[index],
                    host: network?.hosts[index] ?? "127.0.0.1", httpPort: ports[count + index],
                    port: ports[seedName == nil ? index : 0],
                    publishPort: hasPublishPorts && transports[index] == "zmq" ? ports[2 * count + index] : nil,
                    key: keys?(index) ?? ""))
        }
        self.network = network
        self.disks = disks
        self.joinTimeout = joinTimeout
        self.isBootstrap = isBootstrap
        self.seedName = seedName
        for index in 0..<count { try configure(index, seeds: seeds?(index) ?? Array(0..<count)) }
        if let seedName { try setNames(seedName) }
    }

    private func configure(_ index: Int, seeds: [Int]) throws {
        let member = members[index]
        let names = seedName.map { ["\($0):\(member.port)"] } ?? seeds.map { members[$0].address }
        let addresses = names.map { "\"\($0)\"" }.joined(separator: ", ")
        let publishes = member.publishPort.map { ", publish_addr: \"\(member.host):\($0)\"" } ?? ""
        let database = "\(disks[index]?.directory.path ?? ".")/\(member.database)"
        let configuration = """
            node:
              name: \(member.name)
              transport: { kind: \(member.transport), bind_addr: "\(member.address)"\(publishes) }
              http: { host: \(member.host), port: \(member.httpPort) }
              database: { path: "\(database)" }
            cluster:
              seeds: [\(addresses)]
              bootstrap: \(isBootstrap)
              join_timeout: \(joinTimeout)
              encrypt_key: "\(member.key)"
            """
        let file = directory.appendingPathComponent(member.configuration)
        try configuration.write(to: file, atomically: true, encoding: .utf8)
    }

    /// Every node finds the addresses of all under that name, in a file of hosts that it alone sees.
    private func setNames(_ name: String) throws {
        let file = directory.appendingPathComponent("hosts")
        let lines = ["127.0.0.1 localhost"] + members.map { "\($0.host) \(name)" }
        try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
        let script = "mount --bind \(file.path) /etc/hosts && exec \"$@\""
        for index in members.indices {
            launchers[index] = ["/usr/bin/env", "unshare", "--mount", "sh", "-c", script, "node"]
        }
    }

    /// Stops a node as an operator does and starts it again with other seeds.
    func restart(_ index: Int, seeds: [Int]) async throws {
        let process = try process(index)
        process.signal(SIGTERM)
        #expect(process.waitForExit(seconds: 10) == NodeProcess.Exit(status: 0, wasSignal: false))
        try configure(index, seeds: seeds)
        try start(index)
    }

    subscript(_ index: Int) -> REST { members[index].rest }

    func process(_ index: Int) throws -> NodeProcess { try #require(members[index].process) }

    func start(_ index: Int) throws {
        members[index].process = try NodeProcess(
            ["-config", members[index].configuration], in: directory, log: "\(members[index].name).log",
            launcher: (network?.launcher(index) ?? []) + (launchers[index] ?? [])
                + (disks[index]?.launcher(in: directory) ?? []))
    }

    func startAll() async throws {
        for index in members.indices { try start(index) }
        try await allReady()
    }

    func crash(_ index: Int) {
        members[index].process?.crash()
        members[index].process = nil
    }

    var running: [Int] { members.indices.filter { members[$0].process?.isRunning == true } }

    func ready(_ index: Int, within seconds: Double = 30) async throws {
        try await eventually("\(members[index].name) is ready", within: seconds) { await self[index].isReady }
    }

    /// Every running node is ready and sees every running node alive.
    func allReady(within seconds: Double = 30) async throws {
        for index in running { try await ready(index, within: seconds) }
        let names = running.map { members[$0].name }
        for index in running {
            try await eventually("\(members[index].name) sees all alive", within: seconds) {
                let info = try await self[index].info()
                return names.allSatisfy { info.status(of: $0) == "alive" }
            }
        }
    }

    /// All running nodes have `count` todos (where given), equal fingerprints and equal todos, `id` aside.
    func converged(count: Int? = nil, within seconds: Double) async throws {
        try await eventually("nodes agree on \(count.map(String.init) ?? "all") todos", within: seconds) {
            let infos = try await self.running.asyncMap { try await self[$0].info() }
            return Set(infos.map(\.fingerprint)).count == 1
                && infos.allSatisfy { count == nil || $0.todo_count == count }
        }
        var lists: [[String: Todo]] = []
        for index in running {
            let todos = try await self[index].todos()
            lists.append(
                Dictionary(
                    uniqueKeysWithValues: todos.map { todo in
                        var todo = todo
                        todo.id = 0
                        return (todo.extern_id, todo)
                    }))
        }
        for list in lists { #expect(list == lists[0]) }
    }

    /// Waits for a condition; records what was waited for, with the nodes' logs, when it does not come true.
    func eventually(
        _ claim: String, within seconds: Double, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if (try? await condition()) == true { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        if (try? await condition()) == true { return }
        let logs = members.map { "--- \($0.name)\n\(($0.process?.output ?? "not running").suffix(3_000))" }
        Issue.record("not within \(seconds) s: \(claim)\n\(logs.joined(separator: "\n"))")
        throw TimedOut(claim: claim)
    }

    struct TimedOut: Error { var claim: String }

    deinit {
        for member in members { member.process?.crash() }
        try? FileManager.default.removeItem(at: directory)
    }
}

enum FreePorts {
    /// Ports that are free now, for UDP and TCP.
    static func take(_ count: Int) throws -> [Int] {
        var ports: [Int] = []
        while ports.count < count {
            let port = Int.random(in: 20_000..<32_000)
            if !ports.contains(port), isFree(port, SOCK_STREAM), isFree(port, SOCK_DGRAM) { ports.append(port) }
        }
        return ports
    }

    private static func isFree(_ port: Int, _ type: __socket_type) -> Bool {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

extension Sequence {
    func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
