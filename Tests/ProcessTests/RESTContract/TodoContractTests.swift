import Foundation
import Testing

extension RESTContract {
    /// Requests that concern one todo.
    @Suite("Todos")
    struct Todos {
        let client: RawClient

        init() throws { client = try SharedNode.client }

        // MARK: - The todo

        @Test("a todo has id, extern_id, todo, completed and created_at, and nothing else")
        func shape() async throws {
            let answer = try await client.create("shape", "the text")
            let id = try #require(answer.id)
            #expect(answer.isTodo)
            #expect(answer.json?["extern_id"] == .text("shape") && answer.json?["todo"] == .text("the text"))
            #expect(answer.json?["completed"] == .boolean(false))
            #expect(answer.text.contains(#""id":\#(id),"#), "an integer, without a fraction")
        }

        @Test("created_at is the time of the creation in UTC with Z and three digits, and no update changes it")
        func createdAt() async throws {
            // Milliseconds are cut off.
            let before = Date(timeIntervalSinceNow: -0.001)
            let answer = try await client.create("moment")
            let after = Date()
            let text = try #require(answer.json?["created_at"]?.text)
            #expect(AnyJSON.isTimestamp(text))
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
            let moment = try #require(formatter.date(from: text))
            #expect(before...after ~= moment, "\(text), though the node's zone is not UTC")
            let updated = try await client.send("PUT", "/todos/by-extern-id/moment", #"{"todo":"later"}"#)
            #expect(updated.json?["created_at"]?.text == text)
        }

        @Test("id counts from 1, and is never used again after a delete, nor after a restart")
        func ids() async throws {
            let node = try await StandaloneNode()
            #expect(try await node.client.create("a").id == 1)
            #expect(try await node.client.create("b").id == 2)
            #expect(try await node.client.send("DELETE", "/todos/2").status == 204)
            let third = try #require(try await node.client.create("b").id)
            #expect(third > 2)
            #expect(try await node.client.send("DELETE", "/todos/\(third)").status == 204)
            try await node.restart()
            #expect(try #require(try await node.client.create("b").id) > third)
        }

        // MARK: - Create

        @Test("POST /todos is 201 with the todo and its Location")
        func create() async throws {
            let answer = try await client.create("created", "Buy groceries")
            #expect(answer.status == 201 && answer.isTodo)
            let location = try #require(answer["location"])
            #expect(location == "/todos/\(answer.id ?? 0)")
            #expect(try await client.get(location).json == answer.json)
        }

        @Test("POST /todos with the same extern_id again is 409 with problem details, and changes nothing")
        func duplicate() async throws {
            let first = try await client.create("twice", "first")
            #expect(try await client.create("twice", "second").isProblem(409))
            #expect(try await client.get("/todos/by-extern-id/twice").json == first.json)
        }

        @Test(
            "text is kept to the byte: not normalised, not trimmed",
            arguments: [
                "\u{e9}", "e\u{301}", "  blanks  ", "\u{a0}\u{2028}", "\u{212b}\u{fb01}", "\u{1f468}\u{200d}\u{1f469}",
                "\u{10ffff}\u{fffe}\u{feff}", "a\u{300}\u{323}",
            ])
        func exactText(text: String) async throws {
            let created = try await client.create("bytes-\(text)", text)
            #expect(created.status == 201)
            for answer in [created, try await client.get("/todos/by-extern-id/bytes-\(text.percentEncoded)")] {
                #expect(answer.body.firstRange(of: Array(#""extern_id":"bytes-\#(text)""#.utf8)) != nil)
                #expect(answer.body.firstRange(of: Array(#""todo":"\#(text)""#.utf8)) != nil)
            }
        }

        @Test("é and e with a combining accent are two different extern_ids")
        func normalisation() async throws {
            let composed = try await client.create("caf\u{e9}")
            let decomposed = try await client.create("cafe\u{301}")
            #expect(composed.status == 201 && decomposed.status == 201 && composed.id != decomposed.id)
            #expect(try await client.get("/todos/by-extern-id/caf%C3%A9").id == composed.id)
            #expect(try await client.get("/todos/by-extern-id/cafe%CC%81").id == decomposed.id)
        }

        // MARK: - Read, change, delete

        @Test("GET /todos/{id} is 200 with the todo")
        func get() async throws {
            let created = try await client.create("got", "x")
            let answer = try await client.get("/todos/\(created.id ?? 0)")
            #expect(answer.status == 200 && answer.isTodo && answer.json == created.json)
        }

        @Test(
            "GET, PUT and DELETE of an id that nobody has are 404 with problem details",
            arguments: [
                "/todos/999999", "/todos/9223372036854775807", "/todos/by-extern-id/nobody",
            ])
        func missing(path: String) async throws {
            #expect(try await client.get(path).isProblem(404))
            #expect(try await client.send("PUT", path, #"{"completed":true}"#).isProblem(404))
            #expect(try await client.send("DELETE", path).isProblem(404))
        }

        @Test(
            "an id that is no integer >= 1 is 422 at path.id",
            arguments: [
                "abc", "0", "-1", "1.0", "1e3", "+1", "%20", "9223372036854775808", "%D9%A1", "1%00",
            ])
        func badID(id: String) async throws {
            for (method, body) in [("GET", nil), ("PUT", "{}"), ("DELETE", nil)] {
                let answer = try await client.send(method, "/todos/\(id)", body)
                #expect(answer.isProblem(422) && answer.locations == ["path.id"], "\(method) \(answer.text)")
            }
        }

        @Test(
            "PUT /todos/{id} changes what it names and answers 200 with the todo",
            arguments: [
                (#"{"todo":"new"}"#, "new", false), (#"{"completed":true}"#, "old", true),
                (#"{"todo":"new","completed":true}"#, "new", true), ("{}", "old", false),
            ])
        func update(body: String, text: String, isCompleted: Bool) async throws {
            let created = try await client.create("updated-\(UUID())", "old")
            let path = "/todos/\(created.id ?? 0)"
            let answer = try await client.send("PUT", path, body)
            #expect(answer.status == 200 && answer.isTodo)
            #expect(answer.json?["todo"] == .text(text) && answer.json?["completed"] == .boolean(isCompleted))
            #expect(answer.json?["extern_id"] == created.json?["extern_id"] && answer.id == created.id)
            #expect(try await client.get(path).json == answer.json)
        }

        @Test("PUT /todos/{id} with {} changes nothing")
        func emptyUpdate() async throws {
            let node = try await StandaloneNode()
            let created = try await node.client.create("a")
            let before = try await node.client.get("/health/info").json?["fingerprint"]
            let answer = try await node.client.send("PUT", "/todos/1", "{}")
            #expect(answer.status == 200 && answer.json == created.json)
            #expect(try await node.client.get("/health/info").json?["fingerprint"] == before)
        }

        @Test("PUT /todos/{id} cannot change extern_id: 422")
        func fixedExternID() async throws {
            let created = try await client.create("fixed")
            let path = "/todos/\(created.id ?? 0)"
            let answer = try await client.send("PUT", path, #"{"extern_id":"other","todo":"x"}"#)
            #expect(answer.isProblem(422) && answer.locations == ["body.extern_id"])
            #expect(try await client.get(path).json == created.json)
        }

        @Test("DELETE /todos/{id} is 204 with no body, then 404")
        func delete() async throws {
            let path = "/todos/\(try await client.create("deleted").id ?? 0)"
            let answer = try await client.send("DELETE", path)
            #expect(answer.status == 204 && answer.body.isEmpty && answer["transfer-encoding"] == nil)
            #expect(try await client.send("DELETE", path).isProblem(404))
            #expect(try await client.get(path).isProblem(404))
            #expect(try await client.get("/todos/by-extern-id/deleted").isProblem(404))
        }

        @Test(
            "GET, PUT and DELETE /todos/by-extern-id/{extern_id} do as those by id; it is percent-encoded",
            arguments: [
                ("plain", "plain"), ("a/b", "a%2Fb"), ("a b", "a%20b"), ("a+b", "a+b"), ("a%2Fb", "a%252Fb"),
                ("?#&=", "%3F%23%26%3D"), ("..", "%2e%2E"), ("\u{1f980}", "%F0%9F%A6%80"),
                ("by-extern-id", "by-extern-id"),
            ])
        func byExternID(externID: String, encoded: String) async throws {
            let created = try await client.create(externID)
            let path = "/todos/by-extern-id/\(encoded)"
            #expect(created.status == 201)
            let found = try await client.get(path)
            #expect(found.status == 200 && found.json == created.json)
            let updated = try await client.send("PUT", path, #"{"todo":"new"}"#)
            #expect(updated.status == 200 && updated.id == created.id && updated.json?["todo"] == .text("new"))
            let deleted = try await client.send("DELETE", path)
            #expect(deleted.status == 204 && deleted.body.isEmpty)
            #expect(try await client.get(path).isProblem(404))
        }
    }
}
