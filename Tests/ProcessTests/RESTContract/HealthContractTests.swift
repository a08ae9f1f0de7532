import Foundation
import Testing

extension RESTContract {
    @Suite("Health")
    struct Health {
        let client: RawClient

        init() throws { client = try SharedNode.client }

        @Test("GET /health/ready of a ready node is 200 with ready and message")
        func ready() async throws {
            let answer = try await client.get("/health/ready")
            #expect(answer.status == 200 && answer["content-type"] == "application/json")
            #expect(answer.text == #"{"ready":true,"message":"Node is ready"}"#)
        }

        @Test("while the first sync runs GET /health/ready is 503 with problem details, and afterwards 200")
        func notReady() async throws {
            let cluster = try TestCluster(2, transport: Transports.all[0], seeds: { _ in [1] }, joinTimeout: 60)
            let client = RawClient(port: cluster.members[0].httpPort)
            try cluster.start(0)
            try await cluster.eventually("health answers", within: 20) {
                try await client.get("/health/info").status == 200
            }
            #expect(try await client.get("/health/ready").isProblem(503))
            let info = try await client.get("/health/info").json
            #expect(info?["ready"] == .boolean(false) && info?["synced"] == .boolean(false))
            for (method, path, body) in [
                ("GET", "/todos", nil), ("POST", "/todos", #"{"extern_id":"a","todo":"x"}"#), ("GET", "/todos/1", nil),
            ] {
                #expect(try await client.send(method, path, body).isProblem(503), "\(method) \(path)")
            }
            try cluster.start(1)
            try await cluster.eventually("the first node is synced", within: 30) {
                try await client.get("/health/ready").status == 200
            }
            let later = try await client.get("/health/info").json
            #expect(later?["ready"] == .boolean(true) && later?["synced"] == .boolean(true))
        }

        @Test("GET /health/info of a node that stands alone has the listed fields, and the node as its one member")
        func infoOfOne() async throws {
            let answer = try await client.get("/health/info")
            #expect(answer.status == 200 && answer["content-type"] == "application/json")
            let info = try #require(answer.json)
            #expect(
                info.kinds == [
                    "node_name": .text, "ready": .boolean, "synced": .boolean, "cluster_mode": .boolean,
                    "member_count": .number, "members": .array, "todo_count": .number, "fingerprint": .text,
                ])
            #expect(info["node_name"] == .text("contract") && info["cluster_mode"] == .boolean(false))
            #expect(info["member_count"] == .number(1))
            let members = info["members"]?.elements ?? []
            #expect(members.map { $0["name"] } == [.text("contract")])
            #expect(members.map { $0["status"] } == [.text("alive")])
            #expect(members.map { $0["addr"]?.kind } == [.text])
        }

        @Test("todo_count of GET /health/info is the number of todos, and fingerprint changes with every change")
        func todoCount() async throws {
            let node = try await StandaloneNode()
            var fingerprints: [AnyJSON?] = []
            for (method, path, body, count) in [
                ("GET", "/todos", nil, 0), ("POST", "/todos", #"{"extern_id":"a","todo":"x"}"#, 1),
                ("PUT", "/todos/1", #"{"completed":true}"#, 1), ("DELETE", "/todos/1", nil, 0),
            ] {
                #expect(try await node.client.send(method, path, body).status < 300)
                let info = try await node.client.get("/health/info").json
                #expect(info?["todo_count"] == .number(Double(count)), "after \(method)")
                #expect(!fingerprints.contains(info?["fingerprint"]), "after \(method)")
                fingerprints.append(info?["fingerprint"])
            }
        }
    }
}
