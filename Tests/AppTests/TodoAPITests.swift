import Foundation
import Hummingbird
import NIOConcurrencyHelpers
import Store
import Testing

@testable import AutoClusterSync

@Suite("The todo API")
struct TodoAPITests {
    let api = RESTFixture()

    @Test("An empty list is []")
    func emptyList() async throws {
        let answer = try await api.get("/todos")
        #expect(answer.status == 200 && answer.text == "[]" && answer.headers[.contentType] == "application/json")
    }

    @Test("A new todo is answered with 201, its Location, and exactly the five properties")
    func create() async throws {
        let answer = try await api.send(.post, "/todos", #"{"extern_id": "unique-id-123", "todo": "Buy groceries"}"#)
        #expect(answer.status == 201 && answer.headers[.location] == "/todos/1")
        #expect(
            answer.text == #"{"id":1,"extern_id":"unique-id-123","todo":"Buy groceries","completed":false,"#
                + #""created_at":"2026-01-02T03:04:05.679Z"}"#)
        #expect(answer.headers[.contentLength] == String(answer.bytes.count))
        #expect(try await api.get("/todos/1").text == answer.text)
        #expect(try await api.get("/todos/by-extern-id/unique-id-123").text == answer.text)
    }

    @Test("The same extern_id again is a 409 and changes nothing")
    func conflict() async throws {
        try await api.create("a", "first")
        let answer = try await api.create("a", "second")
        #expect(answer.isProblem(409))
        #expect(api.service.todos.map(\.text) == ["first"])
    }

    @Test("Texts that differ in Unicode normalisation only are two, and each keeps its bytes")
    func normalisation() async throws {
        let (composed, decomposed) = ("\u{e9}", "e\u{301}")
        #expect(try await api.create(composed).status == 201)
        #expect(try await api.create(decomposed).status == 201)
        #expect(Array(api.service.todos[1].externID.utf8) == [0x65, 0xcc, 0x81])
        let found = try await api.get("/todos/by-extern-id/e%CC%81")
        #expect(found.object["id"] as? Int == 2 && found.bytes.firstRange(of: [0x22, 0x65, 0xcc, 0x81, 0x22]) != nil)
        #expect(try await api.get("/todos/by-extern-id/%C3%A9").object["id"] as? Int == 1)
        let body = #"{"todo\#u{0301}": "x"}"#
        #expect(try await api.send(.put, "/todos/1", body).status == 422)
    }

    @Test("Every character comes back as it went in, and the answer is JSON for others too")
    func escaping() async throws {
        var text = String(String.UnicodeScalarView((0..<0x80).compactMap(Unicode.Scalar.init)))
        text += "é\u{2028}\u{1f468}\u{200d}\u{1f469}\u{fffe}\u{10ffff}  "
        let answer = try await api.create("\u{0}\"\\/", text)
        #expect(answer.status == 201)
        #expect(answer.object["todo"] as? String == text && answer.object["extern_id"] as? String == "\u{0}\"\\/")
        #expect(api.service.todos[0].text.isSame(as: text))
        #expect(!answer.bytes.contains { $0 < 0x20 })
    }

    @Test("Escapes in a body stand for their characters")
    func escapesInBody() async throws {
        let body = #"{"extern_id":"\u0041\ud83d\ude00\/\b\f\n\r\t","todo":"\"\\"}"#
        let answer = try await api.send(.post, "/todos", body)
        #expect(answer.status == 201)
        #expect(api.service.todos[0].externID == "A\u{1f600}/\u{8}\u{c}\n\r\t" && api.service.todos[0].text == "\"\\")
    }

    @Test("Lists are newest first, whole, and valid across pages", arguments: [1, 255, 256, 257, 512, 1000])
    func longLists(count: Int) async throws {
        for number in 1...count { _ = try api.service.create(externID: "t\(number)", text: "x") }
        let answer = try await api.get("/todos")
        let list = try #require(answer.json as? [[String: Any]])
        #expect(list.compactMap { $0["id"] as? Int } == Array((1...count).reversed()))
        #expect(api.service.pageCount == count / 256 + 1)
        #expect((answer.headers[.contentLength] == nil) == (count >= 256))
    }

    @Test("A list that fails on its first page is a 500, later it breaks off")
    func failingList() async throws {
        for number in 1...300 { _ = try api.service.create(externID: "t\(number)", text: "x") }
        let request = Request(
            head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/todos"),
            body: RequestBody(buffer: .init()))
        let response = try await api.responder.respond(to: request)
        api.service.failure = CocoaError(.fileNoSuchFile)
        await #expect(throws: CocoaError.self) { try await response.body.write(Collector()) }
        #expect(try await api.get("/todos").isProblem(500))
    }

    @Test("An update changes what it names, and {} nothing", arguments: ["/todos/1", "/todos/by-extern-id/a"])
    func update(path: String) async throws {
        try await api.create("a", "first")
        for (body, text, isCompleted) in [
            ("{}", "first", false), (#"{"todo":"second"}"#, "second", false), (#"{"completed":true}"#, "second", true),
            (#"{"todo":"third","completed":false}"#, "third", false),
            (#"{"todo":null,"completed":null}"#, "third", false),
            (#"{"$schema":"http://x/y.json","completed":true}"#, "third", true),
        ] {
            let answer = try await api.send(.put, path, body)
            #expect(answer.status == 200 && answer.object["todo"] as? String == text, "\(body)")
            #expect(answer.object["completed"] as? Bool == isCompleted && answer.object["id"] as? Int == 1, "\(body)")
        }
    }

    @Test("A delete is a 204 without a body, and a 404 afterwards", arguments: ["/todos/1", "/todos/by-extern-id/a"])
    func delete(path: String) async throws {
        try await api.create("a")
        let answer = try await api.send(.delete, path)
        #expect(answer.status == 204 && answer.bytes.isEmpty)
        #expect(try await api.send(.delete, path).isProblem(404))
        #expect(try await api.get(path).isProblem(404))
        #expect(try await api.send(.put, path, "{}").isProblem(404))
        #expect(try await api.create("a").object["id"] as? Int == 2)
    }

    @Test(
        "An id is an integer from 1 within 64 bits, else 422 at path.id",
        arguments: [
            ("abc", "invalid integer"), ("0", "expected number >= 1"), ("-1", "expected number >= 1"),
            ("1.0", "invalid integer"), ("+1", "invalid integer"), ("%2B1", "invalid integer"),
            ("1e3", "invalid integer"),
            ("9223372036854775808", "invalid integer"), ("%20", "invalid integer"), ("1%", "invalid percent-encoding"),
            ("%zz", "invalid percent-encoding"), ("%ff", "invalid percent-encoding"), ("%D9%A1", "invalid integer"),
            ("by-extern-id", "invalid integer"),
        ])
    func badIDs(id: String, message: String) async throws {
        for method in [HTTPRequest.Method.get, .put, .delete] {
            let answer = try await api.send(method, "/todos/\(id)", method == .put ? "{}" : nil)
            #expect(answer.isProblem(422) && answer.faults == ["path.id: \(message)"], "\(method) \(answer.text)")
            #expect(answer.object["detail"] as? String == "validation failed")
            #expect(answer.object["title"] as? String == "Unprocessable Entity")
        }
    }

    @Test("An id that nobody has is a 404", arguments: ["1", "9223372036854775807", "0001", "%31"])
    func unknownIDs(id: String) async throws {
        #expect(try await api.get("/todos/\(id)").isProblem(404))
    }

    @Test("External ids in paths are percent-decoded, once; a plus stays a plus")
    func encodedPaths() async throws {
        for (externID, path) in [
            ("a/b", "a%2Fb"), ("a+b", "a+b"), ("a b", "a%20b"), ("a%2Fb", "a%252Fb"), ("?#", "%3f%23"), (".", "."),
            ("..", "%2e%2e"), ("\u{1f600}", "%F0%9F%98%80"), ("\u{0}", "%00"), ("by-extern-id", "by-extern-id"),
        ] {
            try await api.create(externID)
            for path in ["/todos/by-extern-id/\(path)", "/todos/by-extern-id/\(path)?x=y"] {
                #expect(try await api.get(path).object["extern_id"] as? String == externID, "\(path)")
            }
        }
    }

    @Test(
        "External ids in paths keep to the limits of the schema",
        arguments: [
            ("%", "invalid percent-encoding"), ("a%4", "invalid percent-encoding"), ("%C3", "invalid percent-encoding"),
            ("%ED%A0%80", "invalid percent-encoding"), (String(repeating: "x", count: 81), "expected length <= 80"),
        ])
    func badExternIDs(externID: String, message: String) async throws {
        let answer = try await api.get("/todos/by-extern-id/\(externID)")
        #expect(answer.isProblem(422) && answer.faults == ["path.extern_id: \(message)"])
    }

    @Test(
        "An unknown path is a 404 with problem details",
        arguments: [
            "/", "", "/nope", "/todos/", "//todos", "/todos/1/", "/todos/1/x", "/todos/by-extern-id/", "/TODOS",
            "/health", "*",
        ])
    func unknownPaths(path: String) async throws {
        for method in [HTTPRequest.Method.get, .post, .options] {
            #expect(try await api.send(method, path).isProblem(404), "\(method) \(path)")
        }
    }

    @Test(
        "A path may be percent-encoded, and a query is ignored",
        arguments: ["/%74odos", "/todos?x=1", "/todos?", "/todos#x"])
    func otherSpellings(path: String) async throws {
        #expect(try await api.get(path).status == (path.contains("#") ? 404 : 200))
    }

    @Test(
        "A wrong method is a 405 that names the right ones",
        arguments: [
            ("/todos", "GET, HEAD, POST"), ("/todos/1", "DELETE, GET, HEAD, PUT"), ("/health/ready", "GET, HEAD"),
            ("/health/info", "GET, HEAD"), ("/todos/by-extern-id/a", "DELETE, GET, HEAD, PUT"),
        ])
    func wrongMethods(path: String, allow: String) async throws {
        for method in [HTTPRequest.Method.patch, .options, .trace] {
            let answer = try await api.send(method, path)
            #expect(answer.isProblem(405) && answer.headers[.allow] == allow)
        }
    }

    @Test("Until the node is ready the todos are a 503 with Retry-After, and health answers")
    func notReady() async throws {
        api.isReady.withLockedValue { $0 = false }
        for (method, path) in [
            (HTTPRequest.Method.get, "/todos"), (.post, "/todos"), (.get, "/todos/x"), (.put, "/todos/1"),
            (.delete, "/todos/1"),
            (.get, "/todos/by-extern-id/a"), (.get, "/health/ready"),
        ] {
            let answer = try await api.send(method, path, method == .post ? "{}" : nil)
            #expect(answer.isProblem(503) && answer.headers[.retryAfter] == "1", "\(path)")
        }
        #expect(try await api.get("/health/info").status == 200)
        #expect(try await api.get("/nope").isProblem(404))
        #expect(try await api.send(.patch, "/todos").isProblem(405))
        api.isReady.withLockedValue { $0 = true }
        let ready = try await api.get("/health/ready")
        #expect(ready.status == 200 && ready.text == #"{"ready":true,"message":"Node is ready"}"#)
    }

    @Test("/health/info tells of the node and its members")
    func info() async throws {
        let answer = try await api.get("/health/info")
        #expect(
            answer.text == #"{"node_name":"node-1","ready":true,"synced":true,"cluster_mode":true,"transport":"udp","#
                + #""member_count":2,"members":["#
                + #"{"name":"node-1","addr":"127.0.0.1:7946","status":"alive","http":"127.0.0.1:8080"},"#
                + #"{"name":"node-2","addr":"127.0.0.1:7947","status":"failed","last_seen":"2026-01-02T03:04:05.678Z","#
                + #""lag":1.250}],"todo_count":3,"fingerprint":"00ff"}"#)
        api.status.withLockedValue { $0.transport = nil }
        #expect(try await api.get("/health/info").object["transport"] == nil)
    }

    @Test("Errors of the store never show their text")
    func storeErrors() async throws {
        struct Internal: Error { let secret = "the path of the database" }
        for (error, status) in [
            (Internal() as any Error, 500), (StoreError.diskFull(path: "database"), 507), (StoreError.overloaded, 503),
            (StoreError.closed, 503), (StoreError.busy(path: "database"), 503), (CancellationError(), 503),
            (StoreError.ioError(path: "database", reason: "secret"), 500),
        ] {
            api.service.failure = error
            for answer in [try await api.get("/todos"), try await api.create("a"), try await api.get("/todos/1")] {
                #expect(answer.isProblem(status))
                #expect(!answer.text.contains("secret") && !answer.text.contains("database"))
            }
        }
    }

    @Test("created_at is UTC with Z and three digits at any time")
    func timestamps() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (Int64.max, "9999-12-31T23:59:59.999Z"), (Int64.min, "0001-01-01T00:00:00.000Z"),
        ] {
            var buffer = ByteBuffer()
            buffer.writeTimestamp(milliseconds: milliseconds)
            #expect(String(buffer: buffer) == text)
        }
        let formatter = ISO8601DateFormatter()
        for index in 0..<2000 {
            let milliseconds = Int64(index) * 86_399_999 * 17 - 20_000_000_000_000 / 12
            var buffer = ByteBuffer()
            buffer.writeTimestamp(milliseconds: milliseconds)
            let seconds = (Double(milliseconds) / 1000).rounded(.down)
            let expected = formatter.string(from: Date(timeIntervalSince1970: seconds)).prefix(19)
            #expect(String(buffer: buffer).prefix(19) == expected)
        }
        #expect(HTTPDate.text(second: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(second: -1) == "Wed, 31 Dec 1969 23:59:59 GMT")
        #expect(HTTPDate.text(second: 253_402_300_799) == "Fri, 31 Dec 9999 23:59:59 GMT")
    }
}
