import Foundation
import Testing

/// Nodes that start while others are not there, as after a power cut: none serves less than the cluster has and says that
/// this is all. `SimulationTests` has the same in virtual time.
@Suite("Starts of processes", .serialized, .timeLimit(.minutes(3)))
struct StartTests {
    private static let waiting = "This database is new"

    /// Three nodes that have had `count` todos, and are stopped.
    private func stoppedCluster(_ transport: String, count: Int, joinTimeout: Double = 10) async throws -> TestCluster {
        let cluster = try TestCluster(3, transport: transport, joinTimeout: joinTimeout)
        try await cluster.startAll()
        for number in 0..<count { try await cluster[number % 3].create("todo \(number)", "x") }
        try await cluster.converged(count: count, within: 10)
        for index in 0..<3 { cluster.crash(index) }
        return cluster
    }

    private func wipe(_ index: Int, of cluster: TestCluster) throws {
        for suffix in ["", "-wal", "-shm"] {
            let file = cluster.directory.appendingPathComponent(cluster.members[index].database + suffix)
            if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
        }
    }

    @Test(
        "a node that lost its disk and starts first serves nothing before it has what the others have",
        arguments: ["udp", "zmq"])
    func wipedFirst(transport: String) async throws {
        let cluster = try await stoppedCluster(transport, count: 12)
        try wipe(2, of: cluster)
        try cluster.start(2)
        let wiped = try cluster.process(2)
        try await cluster.eventually("the wiped node says that it waits", within: 5) {
            wiped.output.contains(Self.waiting)
        }
        #expect(await cluster[2].isReady == false)
        #expect(try await cluster[2].request("GET", "/todos").status == 503)
        try cluster.start(0)
        try cluster.start(1)
        try await cluster.eventually("the wiped node is ready", within: 20) { await cluster[2].isReady }
        #expect(try await cluster[2].todos().count == 12)
        try await cluster.allReady()
        try await cluster.converged(count: 12, within: 5)
        try await cluster.eventually("all are synced", within: 15) {
            try await cluster.running.asyncMap { try await cluster[$0].info().synced }.allSatisfy { $0 }
        }
        #expect(wiped.output.components(separatedBy: Self.waiting).count == 2)
    }

    @Test(
        "a node without data whose seeds never come is the cluster when a start's time is over, or on an operator's word"
    )
    func nobodyComes() async throws {
        let cluster = try TestCluster(3, transport: "udp", joinTimeout: 2)
        try cluster.start(0)
        try await cluster.ready(0, within: 10)
        #expect(try await cluster[0].info().synced)
        #expect(try cluster.process(0).output.contains(Self.waiting))
        let second = try TestCluster(3, transport: "udp", joinTimeout: 100, isBootstrap: true)
        try second.start(0)
        try await second.ready(0, within: 10)
        #expect(try await second[0].info().synced)
        #expect(try second.process(0).output.contains(Self.waiting) == false)
    }

    @Test(
        "a node that was away and starts first is open at once, and does not say that it has all",
        arguments: ["udp", "zmq"])
    func staleFirst(transport: String) async throws {
        let cluster = try await stoppedCluster(transport, count: 6)
        for index in [0, 2] { try cluster.start(index) }
        for index in [0, 2] { try await cluster.ready(index) }
        let id = try #require(try await cluster[0].todos().first?.id)
        #expect(try await cluster[0].request("DELETE", "/todos/\(id)").status == 204)
        try await cluster.converged(count: 5, within: 10)
        for index in [0, 2] { cluster.crash(index) }
        try cluster.start(1)
        try await cluster.ready(1, within: 5)
        #expect(try await cluster[1].info().synced == false)
        #expect(try await cluster[1].todos().count == 6)
        for index in [0, 2] { try cluster.start(index) }
        try await cluster.allReady()
        try await cluster.converged(count: 5, within: 20)
        try await cluster.eventually("all are synced", within: 15) {
            try await cluster.running.asyncMap { try await cluster[$0].info().synced }.allSatisfy { $0 }
        }
    }

    @Test(
        "nodes that read a large file are waited for by one without data, and do not wait for it",
        arguments: ["udp", "zmq"])
    func readingCounts(transport: String) async throws {
        let count = 30_000
        let cluster = try TestCluster(3, transport: transport)
        for index in 0..<2 {
            let file = SQLiteFile(cluster.directory.appendingPathComponent(cluster.members[index].database).path)
            try file.run(SQLiteFile.seedSchema)
            try file.run(
                """
                WITH RECURSIVE numbers(number) AS (VALUES (1) UNION ALL SELECT number + 1 FROM numbers WHERE number < \(count))
                INSERT INTO todos (extern_id, todo, completed, created_at)
                  SELECT printf('todo %08d', number), 'x', 0, '2025-11-08 09:10:11' FROM numbers;
                """)
        }
        for index in 0..<2 { try cluster.start(index) }
        for index in 0..<2 { try await cluster.ready(index) }
        try await cluster.converged(count: count, within: 60)
        for index in 0..<2 { cluster.crash(index) }
        for index in 0..<3 { try cluster.start(index) }
        var isChecked = false
        try await cluster.eventually("all are ready", within: 60) {
            let areReady = await (0..<3).asyncMap { await cluster[$0].isReady }
            if areReady[2], !isChecked {
                isChecked = true
                #expect(areReady[0] || areReady[1])
                let found = try await cluster[2].info().todo_count
                #expect(found == count)
            }
            return areReady.allSatisfy { $0 }
        }
        try await cluster.converged(count: count, within: 20)
    }
}
