import Foundation
import Testing

/// What `sqlite3` does to the file of a node that runs. `StoreTests.OutsideChangeTests` has all the ways.
@Suite("Files of running nodes changed by another program", .serialized, .timeLimit(.minutes(2)))
struct OutsideChangeTests {
    @Test(
        "an edit stands on all nodes, be its bytes lesser or greater, and a removed row is deleted",
        arguments: ["udp", "zmq"])
    func edited(transport: String) async throws {
        let cluster = try TestCluster(2, transport: transport)
        try await cluster.startAll()
        for key in ["lesser", "greater", "ticked", "removed"] { _ = try await cluster[0].create(key, "m") }
        _ = try await cluster[0].update("ticked", ["completed": true])
        try await cluster.converged(count: 4, within: 10)
        try SQLiteFile(cluster.directory.appendingPathComponent(cluster.members[0].database).path).run(
            """
            UPDATE todos SET todo = 'a' WHERE extern_id = 'lesser'; UPDATE todos SET todo = 'z' WHERE extern_id = 'greater';
            UPDATE todos SET completed = 0 WHERE extern_id = 'ticked'; DELETE FROM todos WHERE extern_id = 'removed';
            """)
        _ = try await cluster[0].create("next", "m")
        try await cluster.converged(count: 4, within: 15)
        for index in 0...1 {
            #expect(try await cluster[index].todo("lesser")?.todo == "a")
            #expect(try await cluster[index].todo("greater")?.todo == "z")
            #expect(try await cluster[index].todo("ticked")?.completed == false)
            #expect(try await cluster[index].todo("removed") == nil)
        }
    }
}
