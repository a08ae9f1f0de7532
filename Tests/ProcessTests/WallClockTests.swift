import Foundation
import Testing

/// Real nodes whose wall clocks are wrong. `SimulationTests.ClockTests` has the same and more in virtual time.
@Suite("Wall clocks of processes", .serialized, .timeLimit(.minutes(3)))
struct WallClockTests {
    private static let hour: Int64 = 3_600_000

    private struct Scene {
        let cluster: TestCluster
        let clocks: [TestWallClock]

        init(_ count: Int, transport: String) async throws {
            cluster = try TestCluster(count, transport: transport)
            clocks = try (0..<count).map { [directory = cluster.directory] in
                try TestWallClock(in: directory, name: "node-\($0 + 1)")
            }
            for index in 0..<count { cluster.launchers[index] = clocks[index].launcher }
        }

        /// A todo is on every node within what a write may take.
        func isEverywhere(_ externID: String, _ text: String) async throws {
            try await cluster.eventually("\(externID) is everywhere", within: 4) {
                let texts = try await cluster.running.asyncMap { index in
                    try await cluster[index].todos().first { $0.extern_id == externID }?.todo
                }
                return texts.allSatisfy { $0 == text }
            }
        }
    }

    @Test(
        "a clock that is off by an hour for one write keeps no write back, nor does a restart when it is right again",
        arguments: [(2, "udp", hour), (3, "zmq", hour), (3, "udp", -hour)])
    func shortlyWrong(count: Int, transport: String, offset: Int64) async throws {
        let scene = try await Scene(count, transport: transport)
        let cluster = scene.cluster
        try await cluster.startAll()
        try scene.clocks[1].set(milliseconds: offset)
        try await cluster[1].create("wrong", "one")
        try await scene.isEverywhere("wrong", "one")
        try scene.clocks[1].set(milliseconds: 0)
        try await cluster[0].create("right 0", "x")
        try await cluster[1].create("right 1", "x")
        try await scene.isEverywhere("right 0", "x")
        try await scene.isEverywhere("right 1", "x")
        cluster.crash(1)
        try cluster.start(1)
        try await cluster.allReady()
        let id = try #require(try await cluster[0].todos().first { $0.extern_id == "wrong" }?.id)
        let update = try await cluster[0].request("PUT", "/todos/\(id)", json: ["todo": "two"])
        #expect(update.status == 200)
        try await scene.isEverywhere("wrong", "two")
        try await cluster.converged(count: 3, within: 5)
    }

    @Test(
        "a node that starts an hour behind opens with everything, and what it writes then stands",
        arguments: ["udp", "zmq"])
    func startsBehind(transport: String) async throws {
        let scene = try await Scene(2, transport: transport)
        let cluster = scene.cluster
        try await cluster.startAll()
        try await cluster[0].create("deleted", "x")
        try await scene.isEverywhere("deleted", "x")
        cluster.crash(1)
        let id = try #require(try await cluster[0].todos().first?.id)
        #expect(try await cluster[0].request("DELETE", "/todos/\(id)").status == 204)
        try scene.clocks[1].set(milliseconds: -Self.hour)
        try cluster.start(1)
        try await cluster.allReady()
        #expect(try await cluster[1].todos().isEmpty)
        try await cluster[1].create("deleted", "again")
        try await scene.isEverywhere("deleted", "again")
        try scene.clocks[1].set(milliseconds: 0)
        try await cluster.converged(count: 1, within: 5)
        #expect(try await cluster[0].todos().first?.todo == "again")
    }

    @Test("all clocks an hour ahead, then right: nothing waits for the hour to pass")
    func allAhead() async throws {
        let scene = try await Scene(3, transport: "udp")
        let cluster = scene.cluster
        for clock in scene.clocks { try clock.set(milliseconds: Self.hour) }
        try await cluster.startAll()
        try await cluster[0].create("ahead", "one")
        try await scene.isEverywhere("ahead", "one")
        for clock in scene.clocks { try clock.set(milliseconds: 0) }
        for index in 0..<3 { try await cluster[index].create("right \(index)", "x") }
        for index in 0..<3 { try await scene.isEverywhere("right \(index)", "x") }
        let id = try #require(try await cluster[2].todos().first { $0.extern_id == "ahead" }?.id)
        #expect(try await cluster[2].request("PUT", "/todos/\(id)", json: ["todo": "two"]).status == 200)
        try await scene.isEverywhere("ahead", "two")
        try await cluster.converged(count: 4, within: 5)
    }

    @Test("who is wrong among three is told so, and by how much in what the others show")
    func told() async throws {
        let scene = try await Scene(3, transport: "udp")
        let cluster = scene.cluster
        try scene.clocks[2].set(milliseconds: Self.hour)
        try await cluster.startAll()
        try await cluster.eventually("the node says that its clock is wrong", within: 10) {
            cluster.members[2].process?.output.contains("This node's wall clock is wrong") == true
        }
        try await cluster.eventually("another shows by how much", within: 10) {
            let info = try await cluster[0].info()
            let offset = info.members.first { $0.name == "node-3" }?.clock_offset ?? 0
            return abs(offset - 3_600) < 1
        }
        // What it creates has the others' time.
        let todo = try await cluster[2].create("held", "x")
        let created = try #require(Self.date(todo.created_at))
        #expect(abs(created.timeIntervalSinceNow) < 10)
    }

    private static func date(_ text: String) -> Date? {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        return formatter.date(from: text)
    }
}
