import Foundation
import Testing

extension RESTContract {
    /// What the contract says of several nodes.
    @Suite("Cluster", SharedCluster())
    struct Cluster {
        let clients: [RawClient]

        init() throws { clients = try SharedCluster.clients }

        @Test("GET /health/info of a cluster has the listed fields, and every member with the node itself")
        func info() async throws {
            for (index, client) in clients.enumerated() {
                let info = try #require(try await client.get("/health/info").json)
                #expect(
                    info.kinds == [
                        "node_name": .text, "ready": .boolean, "synced": .boolean, "cluster_mode": .boolean,
                        "transport": .text, "member_count": .number, "members": .array, "todo_count": .number,
                        "fingerprint": .text,
                    ])
                #expect(info["node_name"] == .text("node-\(index + 1)") && info["cluster_mode"] == .boolean(true))
                #expect(info["transport"] == .text(Transports.all[0]) && info["member_count"] == .number(3))
                let members = info["members"]?.elements ?? []
                #expect(Set(members.compactMap { $0["name"]?.text }) == ["node-1", "node-2", "node-3"])
                for member in members {
                    var kinds = member.kinds
                    // Nobody has to hear of itself, nor to have heard of all others yet.
                    kinds["last_seen"] = nil
                    kinds["lag"] = nil
                    kinds["clock_offset"] = nil
                    #expect(kinds == ["name": .text, "addr": .text, "status": .text, "http": .text])
                    #expect(["alive", "suspect"].contains(member["status"]?.text))
                    #expect([nil, .text].contains(member["last_seen"]?.kind))
                    #expect(member["last_seen"]?.text.map(AnyJSON.isTimestamp) != false)
                    #expect([nil, .number].contains(member["lag"]?.kind))
                    #expect([nil, .number].contains(member["clock_offset"]?.kind))
                }
            }
        }

        @Test(
            "of each other member GET /health/info shows when it was last seen, its lag, and how far its clock is off")
        func lastSeen() async throws {
            for (index, client) in clients.enumerated() {
                try await eventually("both others are seen by node-\(index + 1)") {
                    let members = try await client.get("/health/info").json?["members"]?.elements ?? []
                    return members.count {
                        $0["last_seen"]?.kind == .text && $0["lag"]?.kind == .number
                            && $0["clock_offset"]?.kind == .number
                    } == 2
                }
            }
        }

        @Test("created_at is the same on every node")
        func createdAt() async throws {
            let created = try await clients[1].create("same-moment").json?["created_at"]
            #expect(created != nil)
            for client in clients {
                try await eventually("the todo is on the node at \(client.port)") {
                    try await client.get("/todos/by-extern-id/same-moment").json?["created_at"] == created
                }
            }
        }

        @Test("GET, PUT and DELETE by extern_id mean the same todo on every node, which the local id does not")
        func byExternID() async throws {
            // One that only the last node ever hears of moves its ids on against those of the others.
            #expect(try await clients[2].create("short-lived").status == 201)
            #expect(try await clients[2].send("DELETE", "/todos/by-extern-id/short-lived").status == 204)
            let created = try await clients[0].create("one-of-all")
            #expect(created.status == 201)
            try await eventually("the todo is on the second node") {
                try await clients[1].get("/todos/by-extern-id/one-of-all").status == 200
            }
            let path = "/todos/by-extern-id/one-of-all"
            #expect(try await clients[1].send("PUT", path, #"{"completed":true}"#).status == 200)
            for client in clients {
                try await eventually("the change is on the node at \(client.port)") {
                    try await client.get(path).json?["completed"] == .boolean(true)
                }
            }
            #expect(try await clients[2].send("DELETE", path).status == 204)
            for client in clients {
                try await eventually("the todo is gone from the node at \(client.port)") {
                    try await client.get(path).status == 404
                }
            }
        }

        @Test("curl as the first version's manual shows it: created on one node, it is available on all")
        func curl() async throws {
            let curl = try ShellCurl(clients.map(\.port))
            let created = try await curl.run(
                #"""
                curl -X POST http://localhost:8080/todos \
                  -H "Content-Type: application/json" \
                  -d '{"extern_id": "todo-1", "todo": "Buy milk"}'
                """#)
            #expect(created.status == 201)
            for command in ["curl http://localhost:8081/todos  # Node 2", "curl http://localhost:8082/todos  # Node 3"]
            {
                try await eventually(command) {
                    try await curl.run(command).json?.elements.contains { $0["todo"] == .text("Buy milk") } == true
                }
            }
        }
    }

    @Suite("Lost members")
    struct LostMembers {
        @Test("a failed member stays listed as failed; one that left is gone, or listed as left")
        func lost() async throws {
            let cluster = try TestCluster(3, transport: Transports.all[0])
            try await cluster.startAll()
            let left = try cluster.process(2)
            left.signal(SIGTERM)
            #expect(left.waitForExit(seconds: 10)?.status == 0)
            try await cluster.eventually("node-3 has left", within: 20) {
                [nil, "left"].contains(try await cluster[0].info().status(of: "node-3"))
            }
            cluster.crash(1)
            try await cluster.eventually("node-2 has failed", within: 20) {
                try await cluster[0].info().status(of: "node-2") == "failed"
            }
            let client = RawClient(port: cluster.members[0].httpPort)
            let info = try #require(try await client.get("/health/info").json)
            let members = info["members"]?.elements ?? []
            #expect(members.contains { $0["name"] == .text("node-2") && $0["status"] == .text("failed") })
            #expect(info["member_count"] == .number(Double(members.count)))
            #expect(members.contains { $0["name"] == .text("node-1") && $0["status"] == .text("alive") })
        }
    }
}
