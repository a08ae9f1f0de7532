import Foundation
import Testing

/// The promises of a cluster, kept by real processes that are driven as a user drives them.
@Suite("Cluster of processes", .serialized)
struct ClusterTests {
    @Test(
        "every request of the quick start works on every node, and its change is on the others",
        arguments: Transports.all)
    func quickStart(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        for writer in 0..<3 {
            let key = "unique-id-\(writer)"
            let created = try await cluster[writer].create(key, "Buy groceries")
            let address = "/todos/\(created.id)"
            let byID: Todo = try await cluster[writer].request("GET", address).decoded()
            #expect(byID == created)
            try await everywhere(cluster, key) { $0?.todo == "Buy groceries" && $0?.created_at == created.created_at }
            _ = try await cluster[writer].request("PUT", address, json: ["todo": "Cook dinner"])
            try await everywhere(cluster, key) { $0?.todo == "Cook dinner" && $0?.completed == false }
            _ = try await cluster[writer].request("PUT", address, json: ["completed": true])
            try await everywhere(cluster, key) { $0?.todo == "Cook dinner" && $0?.completed == true }
            let deleted = try await cluster[writer].request("DELETE", address)
            #expect(deleted.status == 204)
            try await everywhere(cluster, key) { $0 == nil }
        }
        let info = try await cluster[0].info()
        #expect(info.member_count == 3 && info.cluster_mode && info.ready)
    }

    @Test(
        "500 emoji under a key of 80 two-byte characters replicate, though too large for a packet",
        arguments: Transports.all)
    func largeTodos(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        let key = String(repeating: "ä", count: 80)
        let text = String(repeating: "🦀", count: 500)
        try await cluster[1].create(key, text)
        try await everywhere(cluster, key) { $0?.todo == text }
        try await cluster.converged(count: 1, within: 5)
    }

    @Test("a new node has everything before it says ready", .timeLimit(.minutes(3)), arguments: Transports.all)
    func fullSync(transport: String) async throws {
        let cluster = try TestCluster(2, transport: transport)
        try cluster.start(0)
        try await cluster.ready(0)
        try await create(3_000, on: [cluster[0]], connections: 16)
        for index in stride(from: 0, to: 3_000, by: 100) {
            try await cluster[0].update("todo-\(index)", ["completed": true])
        }
        try await cluster[0].delete("todo-5")
        try cluster.start(1)
        try await cluster.ready(1)
        let todos = try await cluster[1].todos()
        #expect(todos.count == 2_999)
        #expect(todos.count { $0.completed } == 30)
        try await cluster.converged(count: 2_999, within: 5)
    }

    @Test(
        "bursts from one node and from all at once are complete everywhere", .timeLimit(.minutes(3)),
        arguments: Transports.all)
    func bursts(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        try await create(2_000, on: [cluster[0]], connections: 16)
        try await cluster.converged(count: 2_000, within: 10)
        try await create(2_000, on: (0..<3).map { cluster[$0] }, connections: 16, prefix: "more")
        try await cluster.converged(count: 4_000, within: 10)
    }

    @Test(
        "a killed node is seen as failed, and comes back with all that happened meanwhile", .timeLimit(.minutes(3)),
        arguments: Transports.all)
    func crashAndRestart(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        try await create(50, on: [cluster[1]], connections: 8)
        try await cluster.converged(count: 50, within: 5)
        cluster.crash(1)
        try await cluster.eventually("node-2 is failed", within: 10) {
            let first = try await cluster[0].info().status(of: "node-2")
            let third = try await cluster[2].info().status(of: "node-2")
            return first == "failed" && third == "failed"
        }
        for index in 0..<20 { try await cluster[0].delete("todo-\(index)") }
        for index in 20..<40 { try await cluster[2].update("todo-\(index)", ["todo": "changed"]) }
        try await cluster[0].create("new", "made meanwhile")
        try await cluster.eventually("the two agree", within: 5) {
            let first = try await cluster[0].info().fingerprint
            let third = try await cluster[2].info().fingerprint
            return first == third
        }
        try cluster.start(1)
        try await cluster.ready(1)
        let before = try await cluster[0].info().fingerprint
        let after = try await cluster[1].info().fingerprint
        #expect(before == after, "equal before it says ready")
        try await cluster.allReady()
        try await cluster.converged(count: 31, within: 5)
    }

    @Test(
        "all nodes killed and restarted in another order have every acknowledged write", .timeLimit(.minutes(3)),
        arguments: Transports.all)
    func allCrash(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        try await create(100, on: (0..<3).map { cluster[$0] }, connections: 8)
        for index in 0..<30 { try await cluster[index % 3].delete("todo-\(index)") }
        for index in 0..<3 { cluster.crash(index) }
        for index in [2, 0, 1] {
            try cluster.start(index)
            try await cluster.ready(index)
        }
        try await cluster.allReady()
        try await cluster.converged(count: 70, within: 10)
    }

    @Test(
        "writes that clash end the same on every node, and different fields are both kept", .timeLimit(.minutes(3)),
        arguments: Transports.all)
    func conflicts(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        try await create(100, on: [cluster[0]], connections: 16)
        try await cluster.converged(count: 100, within: 5)
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<100 {
                for node in [0, 1] {
                    let rest = cluster[node]
                    group.addTask { _ = try? await rest.update("todo-\(index)", ["todo": "from \(node)"]) }
                }
            }
            for index in 0..<50 {
                for node in 0..<3 {
                    let rest = cluster[node]
                    group.addTask { _ = try? await rest.create("same-\(index)", "from \(node)") }
                }
            }
        }
        try await cluster.converged(count: 150, within: 10)
        await withTaskGroup(of: Void.self) { group in
            let (first, second) = (cluster[0], cluster[1])
            for index in 0..<50 {
                group.addTask { _ = try? await first.update("todo-\(index)", ["todo": "edited"]) }
                group.addTask { _ = try? await second.update("todo-\(index)", ["completed": true]) }
            }
        }
        try await cluster.converged(count: 150, within: 10)
        let todos = try await cluster[2].todos().filter { $0.extern_id.hasPrefix("todo-") && $0.completed }
        #expect(todos.count == 50)
        #expect(todos.allSatisfy { $0.todo == "edited" })
    }

    @Test(
        "a node that stands still for 3 s under writes is not declared failed and misses nothing",
        arguments: Transports.all)
    func pause(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        try cluster.process(2).signal(SIGSTOP)
        let start = ContinuousClock.now
        var count = 0
        while ContinuousClock.now - start < .seconds(3) {
            try await cluster[count % 2].create("during-\(count)", "x")
            count += 1
            for index in 0..<2 {
                let status = try await cluster[index].info().status(of: "node-3")
                #expect(status == "alive" || status == "suspect")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        try cluster.process(2).signal(SIGCONT)
        try await cluster.allReady(within: 10)
        try await cluster.converged(count: count, within: 10)
    }

    @Test(
        "two clusters that started apart become one when a seed of each is in the other's list",
        arguments: Transports.all)
    func merge(transport: String) async throws {
        let cluster = try TestCluster(4, transport: transport, seeds: { [[0], [0], [2], [2]][$0] })
        try await cluster.startAllApart()
        try await cluster[0].create("left", "x")
        try await cluster[3].create("right", "y")
        try await cluster.restart(1, seeds: [0, 2])
        try await cluster.allReady()
        try await cluster.converged(count: 2, within: 10)
    }

    @Test(
        "nodes with different keys, or none, go on alone; nothing passes and each says so once",
        arguments: Transports.all)
    func keys(transport: String) async throws {
        let keys = [Self.key(1), Self.key(2), ""]
        let cluster = try TestCluster(3, transport: transport, keys: { keys[$0] }, joinTimeout: 2)
        for index in 0..<3 { try cluster.start(index) }
        for index in 0..<3 {
            try await cluster.ready(index, within: 15)
            try await cluster[index].create("of-\(index)", "secret \(index)")
        }
        // Long enough for several rounds of tries to reach one another.
        let end = ContinuousClock.now + .seconds(3)
        while ContinuousClock.now < end {
            for index in 0..<3 {
                let info = try await cluster[index].info()
                #expect(info.todo_count == 1)
                #expect(info.member_count == 1, "\(info.members)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        for index in 0..<3 {
            // One line for each of the two others, whom this node dials; at most one for being dialled.
            let lines = try cluster.process(index).output.split(separator: "\n").filter { $0.contains("encrypt_key") }
            #expect((2...3).contains(lines.count), "\(lines.joined(separator: "\n"))")
            for other in 0..<3 where other != index {
                let address = "127.0.0.1:\(cluster.members[other].port)"
                #expect(lines.count { $0.contains(address) } == 1, "\(address): \(lines.joined(separator: "\n"))")
            }
        }
    }

    @Test(
        "a node whose seed speaks another transport goes on alone; both stay up and answer",
        .enabled(if: Transports.all.count > 1, "there is one transport only"), arguments: Transports.pairs)
    func otherTransport(transports: [String]) async throws {
        let cluster = try TestCluster(2, transports: transports, seeds: { _ in [0] }, joinTimeout: 2)
        for index in 0..<2 {
            try cluster.start(index)
            try await cluster.ready(index, within: 15)
            try await cluster[index].create("of-\(index)", "x")
        }
        let pids = try (0..<2).map { try cluster.process($0).pid }
        // Long enough for several rounds of tries.
        let end = ContinuousClock.now + .seconds(4)
        while ContinuousClock.now < end {
            for index in 0..<2 {
                let info = try await cluster[index].info()
                #expect(info.transport == transports[index] && info.ready)
                #expect(info.member_count == 1, "\(info.members)")
                #expect(info.todo_count == 1)
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        for index in 0..<2 {
            #expect(try cluster.process(index).isRunning && cluster.process(index).pid == pids[index])
            try await cluster[index].update("of-\(index)", ["completed": true])
        }
    }

    @Test("with one key on all nodes everything works sealed", arguments: Transports.all)
    func sealed(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport, keys: { _ in Self.key(1) })
        try await cluster.startAll()
        try await create(300, on: (0..<3).map { cluster[$0] }, connections: 8)
        try await cluster[1].create("large", String(repeating: "🦀", count: 500))
        try await cluster.converged(count: 301, within: 10)
    }

    // MARK: - Helpers

    static func key(_ seed: UInt8) -> String { Data((0..<32).map { $0 &* 7 &+ seed }).base64EncodedString() }

    private func everywhere(
        _ cluster: TestCluster, _ key: String, _ condition: (Todo?) -> Bool
    ) async throws {
        for index in cluster.running {
            try await cluster.eventually("\(key) on node \(index + 1)", within: 5) {
                condition(try await cluster[index].todo(key))
            }
        }
    }

    private func create(
        _ count: Int, on nodes: [REST], connections: Int, prefix: String = "todo"
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for connection in 0..<connections {
                group.addTask {
                    for index in stride(from: connection, to: count, by: connections) {
                        try await nodes[index % nodes.count].create("\(prefix)-\(index)", "text \(index)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

extension TestCluster {
    /// Starts all nodes without expecting them to see one another.
    func startAllApart() async throws {
        for index in members.indices { try start(index) }
        for index in members.indices { try await ready(index) }
    }
}
