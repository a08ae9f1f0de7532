import Foundation
import Testing

extension RESTContract {
    /// Paths and methods.
    @Suite("Routing")
    struct Routing {
        let client: RawClient

        init() throws { client = try SharedNode.client }

        @Test(
            "HEAD on any GET path answers as GET, without the body",
            arguments: [
                "/health/ready", "/health/info", "/todos", "/todos/{id}", "/todos/by-extern-id/head", "/todos/999999",
                "/todos/abc", "/nope",
            ])
        func head(path: String) async throws {
            _ = try await client.create("head")
            let id = try await client.get("/todos/by-extern-id/head").id
            let path = path.replacing("{id}", with: "\(id ?? 0)")
            let get = try await client.get(path)
            let head = try await client.send("HEAD", path)
            #expect(head.status == get.status && head.body.isEmpty && !get.body.isEmpty)
            for name in ["content-type", "etag", "allow", "location"] { #expect(head[name] == get[name], "\(name)") }
            // Other tests write meanwhile, and members are seen.
            if path != "/todos", path != "/health/info" { #expect(head["content-length"] == get["content-length"]) }
        }

        @Test("HEAD of a long list, whose length nobody knows before, has no body either")
        func headOfLongList() async throws {
            let node = try await StandaloneNode { try $0.fill(1_000) }
            let head = try await node.client.send("HEAD", "/todos")
            #expect(head.status == 200 && head["content-type"] == "application/json" && head.body.isEmpty)
        }

        @Test(
            "an unknown path is 404 with problem details",
            arguments: [
                "/", "/nope", "/todos/", "//todos", "/todos/1/x", "/todos/by-extern-id/", "/TODOS", "/health",
            ])
        func unknownPath(path: String) async throws {
            for method in ["GET", "POST", "DELETE"] {
                #expect(try await client.send(method, path).isProblem(404), "\(method)")
            }
        }

        @Test(
            "a wrong method is 405 with problem details and Allow",
            arguments: [
                ("/todos", ["GET", "HEAD", "POST"]), ("/todos/1", ["DELETE", "GET", "HEAD", "PUT"]),
                ("/todos/by-extern-id/a", ["DELETE", "GET", "HEAD", "PUT"]), ("/health/ready", ["GET", "HEAD"]),
                ("/health/info", ["GET", "HEAD"]),
            ])
        func wrongMethod(path: String, allowed: [String]) async throws {
            for method in ["PATCH", "OPTIONS", "TRACE", "DELETE", "PUT", "POST"] where !allowed.contains(method) {
                let answer = try await client.send(method, path)
                #expect(answer.isProblem(405), "\(method)")
                let allow = (answer["allow"] ?? "").split(separator: ",").map {
                    $0.trimmingCharacters(in: .whitespaces)
                }
                #expect(allow.sorted() == allowed, "\(method)")
            }
        }
    }
}
