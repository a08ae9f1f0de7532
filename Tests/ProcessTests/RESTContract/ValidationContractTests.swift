import Foundation
import Testing

extension RESTContract {
    /// What is wrong with a request, and how it is told.
    @Suite("Validation")
    struct Validation {
        let client: RawClient

        init() throws { client = try SharedNode.client }

        @Test("a fault is told as the contract's example shows it")
        func example() async throws {
            let answer = try await client.create("a", "")
            #expect(answer.isProblem(422))
            let expected = """
                {"title":"Unprocessable Entity","status":422,"detail":"validation failed",
                 "errors":[{"message":"expected length >= 1","location":"body.todo","value":""}]}
                """
            #expect(try answer.json == JSONDecoder().decode(AnyJSON.self, from: Data(expected.utf8)))
        }

        @Test("all faults of a request are told at once")
        func allAtOnce() async throws {
            let answer = try await client.send("PUT", "/todos/x", #"{"todo":"","completed":"yes","x":1}"#)
            #expect(answer.isProblem(422))
            #expect(answer.locations == ["body.completed", "body.todo", "body.x", "path.id"])
        }

        /// One Unicode scalar each, or two that make one character: of one to four bytes.
        static let units = ["x", "\u{e9}", "\u{20ac}", "\u{1f980}", "e\u{301}"]

        @Test("extern_id has 1 to 80 Unicode scalars, else 422 at body.extern_id", arguments: units)
        func externIDLength(unit: String) async throws {
            let most = Self.scalars(80, of: unit)
            #expect(try await client.create(most).status == 201)
            for externID in ["", Self.scalars(81, of: unit), most + "x"] {
                let answer = try await client.create(externID)
                #expect(answer.isProblem(422) && answer.locations == ["body.extern_id"])
            }
        }

        @Test("todo has 1 to 500 Unicode scalars, else 422 at body.todo, in POST and PUT", arguments: units)
        func todoLength(unit: String) async throws {
            let most = Self.scalars(500, of: unit)
            let created = try await client.create("long-\(UUID())", most)
            #expect(created.status == 201)
            let path = "/todos/\(created.id ?? 0)"
            let updated = try await client.send("PUT", path, #"{"todo":"\#(most)"}"#)
            #expect(updated.status == 200 && updated.json == created.json)
            for text in ["", Self.scalars(501, of: unit), most + "x"] {
                for answer in [
                    try await client.create("too-long", text),
                    try await client.send("PUT", path, #"{"todo":"\#(text)"}"#),
                ] {
                    #expect(answer.isProblem(422) && answer.locations == ["body.todo"])
                }
            }
            #expect(try await client.get(path).json == created.json)
        }

        @Test("an extern_id in a path has 1 to 80 Unicode scalars, else 422 at path.extern_id", arguments: units)
        func pathLength(unit: String) async throws {
            func path(_ count: Int) -> String { "/todos/by-extern-id/" + Self.scalars(count, of: unit).percentEncoded }
            #expect(try await client.get(path(79)).isProblem(404))
            let answer = try await client.get(path(81))
            #expect(answer.isProblem(422) && answer.locations == ["path.extern_id"])
        }

        @Test(
            "a required property that is missing is 422 at body, each with a fault of its own",
            arguments: [
                (#"{"extern_id":"a"}"#, 1), (#"{"todo":"x"}"#, 1), ("{}", 2), (#"{"$schema":"x"}"#, 2),
            ])
        func missing(body: String, count: Int) async throws {
            let answer = try await client.send("POST", "/todos", body)
            #expect(answer.isProblem(422) && answer.locations == Array(repeating: "body", count: count))
        }

        @Test(
            "a wrong JSON type, null for a required string among them, is 422 at body.<property>",
            arguments: [
                "null", "1", "true", "[]", "{}", #"["x"]"#, "1.5",
            ])
        func wrongType(value: String) async throws {
            let externID = try await client.send("POST", "/todos", #"{"extern_id":\#(value),"todo":"x"}"#)
            #expect(externID.isProblem(422) && externID.locations == ["body.extern_id"])
            let todo = try await client.send("POST", "/todos", #"{"extern_id":"a","todo":\#(value)}"#)
            #expect(todo.isProblem(422) && todo.locations == ["body.todo"])
        }

        @Test(
            "a number or a string for a boolean is 422 at body.completed",
            arguments: [
                "0", "1", #""true""#, #""""#, "[]", "{}",
            ])
        func noBoolean(value: String) async throws {
            let path = "/todos/\(try await client.create("boolean-\(UUID())").id ?? 0)"
            let answer = try await client.send("PUT", path, #"{"completed":\#(value)}"#)
            #expect(answer.isProblem(422) && answer.locations == ["body.completed"])
            #expect(try await client.get(path).json?["completed"] == .boolean(false))
        }

        @Test(
            "a property that is not in the schema is 422 at body.<property>",
            arguments: [
                "completed", "id", "created_at", "Todo", "x", "schema", "$Schema", "todo\u{301}",
            ])
        func unknownProperty(name: String) async throws {
            let answer = try await client.send("POST", "/todos", #"{"extern_id":"a","todo":"x","\#(name)":true}"#)
            #expect(answer.isProblem(422) && answer.locations == ["body.\(name)"])
        }

        @Test("$schema alone is let through")
        func schemaProperty() async throws {
            let body = #"{"$schema":"https://example.org/CreateTodo.json","extern_id":"schema","todo":"x"}"#
            let created = try await client.send("POST", "/todos", body)
            #expect(created.status == 201 && created.isTodo)
            let path = "/todos/\(created.id ?? 0)"
            let updated = try await client.send("PUT", path, #"{"$schema":"x","completed":true}"#)
            #expect(updated.status == 200 && updated.json?["completed"] == .boolean(true))
        }

        @Test("a body that is no object is 422 at body", arguments: ["[]", "null", #""x""#, "1", "true", " [{}] "])
        func noObject(body: String) async throws {
            for (method, path) in [("POST", "/todos"), ("PUT", "/todos/999999")] {
                let answer = try await client.send(method, path, body)
                #expect(answer.isProblem(422) && answer.locations == ["body"], "\(method)")
            }
        }

        @Test(
            "malformed JSON is 400 at body",
            arguments: [
                "{", #"{"extern_id":"a","todo":"x",}"#, #"{"extern_id":"a" "todo":"x"}"#, "{'extern_id':'a'}", "{} {}",
                "nul",
                #"{"extern_id":"\ud800","todo":"x"}"#, "{\"extern_id\":\"a\nb\",\"todo\":\"x\"}", "\u{feff}{}", " ",
            ])
        func malformed(body: String) async throws {
            for (method, path) in [("POST", "/todos"), ("PUT", "/todos/999999")] {
                let answer = try await client.send(method, path, body)
                #expect(answer.isProblem(400) && answer.locations == ["body"], "\(method)")
            }
        }

        @Test(
            "bytes that are not UTF-8 are 400 at body",
            arguments: [
                [0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
            ] as [[UInt8]])
        func notUTF8(bytes: [UInt8]) async throws {
            let body = Array(#"{"extern_id":"a","todo":""#.utf8) + bytes + Array(#""}"#.utf8)
            let answer = try await client.send("POST", "/todos", body)
            #expect(answer.isProblem(400) && answer.locations == ["body"])
        }

        @Test("nesting without end is 400 at body, and the node goes on", arguments: ["[", #"{"a":"#, #"[{"todo":"#])
        func nesting(opening: String) async throws {
            let body = String(repeating: opening, count: 1_000_000 / opening.utf8.count)
            let answer = try await client.send("POST", "/todos", body)
            #expect(answer.isProblem(400) && answer.locations == ["body"])
            #expect(try await client.get("/health/ready").status == 200)
        }

        @Test("no body is 400", arguments: [nil, ""] as [String?])
        func noBody(body: String?) async throws {
            for (method, path) in [("POST", "/todos"), ("PUT", "/todos/1")] {
                #expect(try await client.send(method, path, body).isProblem(400), "\(method)")
            }
        }

        @Test(
            "another content type than JSON is 415 at body",
            arguments: [
                "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                "application/jsonx",
                "application/xml", "text/html; charset=utf-8",
            ])
        func otherContentType(type: String) async throws {
            let answer = try await client.send("POST", "/todos", #"{"extern_id":"a","todo":"x"}"#, type: type)
            #expect(answer.isProblem(415) && answer.locations == ["body"])
        }

        @Test(
            "parameters of JSON's content type are fine, as is another case",
            arguments: [
                "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON",
                #"application/json; x="y""#,
            ])
        func contentTypeParameters(type: String) async throws {
            let body = #"{"extern_id":"type-\#(UUID())","todo":"x"}"#
            #expect(try await client.send("POST", "/todos", body, type: type).status == 201)
        }

        @Test("a body of 1 MiB is read; one byte more is 413", arguments: [false, true])
        func size(isChunked: Bool) async throws {
            for (byteCount, status) in [(1 << 20, 201), (1 << 20 + 1, 413)] {
                var body = Array(#"{"extern_id":"size-\#(UUID())","todo":"x"}"#.utf8)
                body += [UInt8](repeating: 0x20, count: byteCount - body.count)
                let answer = try await isChunked ? sendChunked(body) : client.send("POST", "/todos", body)
                #expect(answer.status == status, "\(byteCount)")
                #expect(status == 201 ? answer.isTodo : answer.isProblem(413))
            }
        }

        @Test("an internal failure is 500, with no internal text")
        func internalFailure() async throws {
            let node = try await StandaloneNode()
            #expect(try await node.client.create("a", "kept").status == 201)
            try node.database.run("ALTER TABLE todos RENAME TO hidden")
            for (method, path, body) in [
                ("GET", "/todos", nil), ("GET", "/todos/1", nil), ("GET", "/todos/by-extern-id/a", nil),
                ("POST", "/todos", #"{"extern_id":"b","todo":"x"}"#), ("PUT", "/todos/1", #"{"completed":true}"#),
                ("DELETE", "/todos/1", nil),
            ] {
                let answer = try await node.client.send(method, path, body)
                #expect(answer.isProblem(500), "\(method) \(path): \(answer.status) \(answer.text)")
                for word in ["sqlite", "select", "insert", "table", "todos", "hidden", node.directory.path, ".swift"] {
                    #expect(!answer.text.lowercased().contains(word), "\(method) \(path): \(answer.text)")
                }
            }
        }

        private func sendChunked(_ body: [UInt8]) async throws -> HTTPAnswer {
            let head = """
                POST /todos HTTP/1.1\r
                Host: x\r
                Connection: close\r
                Content-Type: application/json\r
                Transfer-Encoding: chunked\r
                \r

                """
            var bytes = Array(head.utf8)
            for start in stride(from: 0, to: body.count, by: 50_000) {
                let chunk = body[start..<min(start + 50_000, body.count)]
                bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
            }
            return try HTTPAnswer(try await client.exchange(bytes + Array("0\r\n\r\n".utf8)), toHead: false)
        }

        /// The first `count` scalars of `unit` repeated.
        private static func scalars(_ count: Int, of unit: String) -> String {
            var text = String.UnicodeScalarView()
            while text.count < count { text.append(contentsOf: unit.unicodeScalars) }
            return String(String.UnicodeScalarView(text.prefix(count)))
        }
    }
}
