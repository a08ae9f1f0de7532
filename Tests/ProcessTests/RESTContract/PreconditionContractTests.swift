import Testing

extension RESTContract {
    /// Changes on condition, and answers that a client has already (RFC 9110 §13).
    @Suite("Preconditions")
    struct Preconditions {
        let client: RawClient

        init() throws { client = try SharedNode.client }

        @Test("a todo has a strong ETag, which changes when it does, and is the same by id, by extern_id and for HEAD")
        func etag() async throws {
            let created = try await client.create("etag")
            let path = "/todos/\(created.id ?? 0)"
            let etag = try #require(created["etag"])
            #expect(etag.wholeMatch(of: /"[!#-~]*"/) != nil, "\(etag)")
            #expect(try await client.get(path)["etag"] == etag)
            #expect(try await client.get("/todos/by-extern-id/etag")["etag"] == etag)
            #expect(try await client.send("HEAD", path)["etag"] == etag)
            let updated = try await client.send("PUT", path, #"{"completed":true}"#)
            #expect(updated["etag"] != nil && updated["etag"] != etag)
            #expect(try await client.get(path)["etag"] == updated["etag"])
            #expect(try await client.send("PUT", path, "{}")["etag"] == updated["etag"])
        }

        @Test("GET with the ETag that it has in If-None-Match is 304 without a body", arguments: ["GET", "HEAD"])
        func notModified(method: String) async throws {
            let created = try await client.create("not-modified-\(method)")
            let path = "/todos/\(created.id ?? 0)"
            let etag = try #require(try await client.get(path)["etag"])
            for value in [etag, "W/\(etag)", "\"other\", \(etag)", "*"] {
                let answer = try await client.send(method, path, fields: ["If-None-Match: \(value)"])
                #expect(answer.status == 304 && answer.body.isEmpty && answer["etag"] == etag, "\(value)")
            }
            #expect(try await client.send(method, path, fields: [#"If-None-Match: "other""#]).status == 200)
            #expect(try await client.send("PUT", path, #"{"todo":"new"}"#).status == 200)
            #expect(try await client.send(method, path, fields: ["If-None-Match: \(etag)"]).status == 200)
        }

        @Test("GET /todos with its ETag in If-None-Match is 304 until anything changes")
        func listNotModified() async throws {
            let node = try await StandaloneNode { try $0.fill(3) }
            let etag = try #require(try await node.client.get("/todos")["etag"])
            let fields = ["If-None-Match: \(etag)"]
            #expect(try await node.client.get("/todos", fields).status == 304)
            for (method, path, body) in [
                ("POST", "/todos", #"{"extern_id":"a","todo":"x"}"#), ("PUT", "/todos/1", #"{"todo":"x"}"#),
                ("DELETE", "/todos/2", nil),
            ] {
                let etag = try #require(try await node.client.get("/todos")["etag"])
                #expect(try await node.client.send(method, path, body).status < 300)
                #expect(
                    try await node.client.get("/todos", ["If-None-Match: \(etag)"]).status == 200, "after \(method)")
            }
        }

        @Test(
            "a todo that another program changes in the file has another ETag at once, and the old one is out of date")
        func otherProgram() async throws {
            let node = try await StandaloneNode { try $0.fill(1) }
            var old = try #require(try await node.client.get("/todos/1")["etag"])
            for change in ["todo = 'by hand'", "completed = 1 - completed", "created_at = '2024-01-01 00:00:00'"] {
                try node.database.run("UPDATE todos SET \(change) WHERE id = 1")
                let etag = try #require(try await node.client.get("/todos/1")["etag"])
                #expect(etag != old && !etag.hasPrefix("W/"), "\(change)")
                for (tag, status) in [(old, 412), (etag, 200)] {
                    let fields = ["If-Match: \(tag)"]
                    #expect(try await node.client.send("PUT", "/todos/1", "{}", fields: fields).status == status)
                }
                old = etag
            }
        }

        @Test("PUT and DELETE with an If-Match that is out of date are 412 with problem details, and change nothing")
        func failed() async throws {
            for address in ["id", "extern_id"] {
                let created = try await client.create("if-match-\(address)")
                let id = created.id ?? 0
                let path = address == "id" ? "/todos/\(id)" : "/todos/by-extern-id/if-match-extern_id"
                let old = try #require(created["etag"])
                #expect(try await client.send("PUT", path, #"{"todo":"new"}"#).status == 200)
                let current = try await client.get(path)
                for value in [old, #""other""#, "W/\(current["etag"] ?? "")"] {
                    let fields = ["If-Match: \(value)"]
                    #expect(
                        try await client.send("PUT", path, #"{"todo":"x"}"#, fields: fields).isProblem(412), "\(value)")
                    #expect(try await client.send("DELETE", path, fields: fields).isProblem(412), "\(value)")
                }
                #expect(try await client.get(path).json == current.json)
            }
        }

        @Test("PUT and DELETE with an If-Match that holds are carried out")
        func met() async throws {
            let created = try await client.create("if-match-met")
            let path = "/todos/\(created.id ?? 0)"
            var etag = try #require(created["etag"])
            for value in [etag, "*"] {
                let answer = try await client.send(
                    "PUT", path, #"{"todo":"\#(value == "*")"}"#, fields: ["If-Match: \(value)"])
                #expect(answer.status == 200)
                etag = try #require(answer["etag"])
            }
            #expect(try await client.send("DELETE", path, fields: [#"If-Match: "other", \#(etag)"#]).status == 204)
        }

        @Test(
            "of many clients that change one todo at once with the same If-Match, one does and all others are told 412")
        func onlyOne() async throws {
            let created = try await client.create("one-winner")
            let path = "/todos/\(created.id ?? 0)"
            let fields = ["If-Match: \(try #require(created["etag"]))"]
            let client = client
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<16 {
                    group.addTask {
                        try await client.send("PUT", path, #"{"todo":"\#(number)"}"#, fields: fields).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200] + Array(repeating: 412, count: 15))
        }
    }
}
