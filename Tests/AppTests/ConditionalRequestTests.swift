import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Store
import Testing

@testable import AutoClusterSync

@Suite("Conditional requests")
struct ConditionalRequestTests {
    let api = RESTFixture()

    private func tag(_ path: String) async throws -> String { try #require(try await api.get(path).headers[.eTag]) }

    @Test("What creates, reads and changes a todo names the same state by the same tag; another state has another")
    func tags() async throws {
        let created = try await api.create("a", "x")
        let first = try #require(created.headers[.eTag])
        #expect(first.hasPrefix("\"") && created.status == 201)
        #expect(try await tag("/todos/1") == first)
        #expect(try await tag("/todos/by-extern-id/a") == first)
        let changed = try await api.send(.put, "/todos/1", #"{"completed":true}"#)
        let second = try #require(changed.headers[.eTag])
        #expect(second != first)
        #expect(try await tag("/todos/1") == second)
        #expect(try await api.send(.put, "/todos/1", #"{"completed":false}"#).headers[.eTag] == first)
    }

    @Test(
        "A read of what the client has is a 304 without a body", arguments: ["/todos", "/todos/1", "/todos?limit=1"])
    func notModified(path: String) async throws {
        try await api.create("a", "x")
        let tag = try await tag(path)
        for value in [tag, "*", "\"other\", \(tag)", tag.hasPrefix("W/") ? String(tag.dropFirst(2)) : "W/\(tag)"] {
            let answer = try await api.send(.get, path, headers: [.ifNoneMatch: value])
            #expect(answer.status == 304 && answer.bytes.isEmpty && answer.headers[.eTag] == tag, "\(value)")
            #expect(answer.headers[.contentLength] == nil && answer.headers[.contentType] == nil)
            #expect(answer.headers[.cacheControl] == "no-cache")
        }
        for value in ["\"other\"", "nonsense", ""] {
            let answer = try await api.send(.get, path, headers: [.ifNoneMatch: value])
            #expect(answer.status == 200 && !answer.bytes.isEmpty, "\(value)")
            #expect(answer.headers[.cacheControl] == "no-cache")
        }
        try await api.send(.put, "/todos/1", #"{"todo":"y"}"#)
        #expect(try await api.send(.get, path, headers: [.ifNoneMatch: tag]).status == 200)
    }

    @Test(
        "A todo that is not there is a 404 whatever is demanded of it",
        arguments: [HTTPRequest.Method.get, .put, .delete])
    func missing(method: HTTPRequest.Method) async throws {
        for headers in [[.ifMatch: "*"], [.ifMatch: "\"x\""], [.ifNoneMatch: "*"]] as [HTTPFields] {
            let body = method == .put ? "{}" : nil
            #expect(try await api.send(method, "/todos/7", body, headers: headers).isProblem(404))
        }
    }

    @Test("If-Match lets a write through only for the state that it names; a 412 changes nothing")
    func ifMatch() async throws {
        try await api.create("a", "x")
        let stale = try await tag("/todos/1")
        try await api.send(.put, "/todos/1", #"{"todo":"y"}"#)
        let body = #"{"todo":"z"}"#
        for value in [stale, "W/\(try await tag("/todos/1"))", "\"\"", "nonsense", ""] {
            for path in ["/todos/1", "/todos/by-extern-id/a"] {
                #expect(try await api.send(.put, path, body, headers: [.ifMatch: value]).isProblem(412), "\(value)")
                #expect(try await api.send(.delete, path, headers: [.ifMatch: value]).isProblem(412), "\(value)")
                #expect(try await api.send(.get, path, headers: [.ifMatch: value]).isProblem(412), "\(value)")
            }
        }
        #expect(api.service.todos.map(\.text) == ["y"])
        let current = try await tag("/todos/1")
        let answer = try await api.send(.put, "/todos/1", body, headers: [.ifMatch: "\(stale), \(current)"])
        #expect(answer.status == 200 && answer.object["todo"] as? String == "z")
        #expect(try await api.send(.delete, "/todos/1", headers: [.ifMatch: "*"]).status == 204)
    }

    @Test("If-None-Match keeps a write from the state that it names")
    func ifNoneMatch() async throws {
        try await api.create("a", "x")
        let tag = try await tag("/todos/1")
        for value in [tag, "W/\(tag)", "*"] {
            #expect(try await api.send(.delete, "/todos/1", headers: [.ifNoneMatch: value]).isProblem(412))
        }
        #expect(try await api.send(.put, "/todos/1", "{}", headers: [.ifNoneMatch: "\"other\""]).status == 200)
    }

    @Test("Several header lines are one list")
    func severalLines() async throws {
        try await api.create("a", "x")
        var headers: HTTPFields = [.ifNoneMatch: "\"other\""]
        headers.append(HTTPField(name: .ifNoneMatch, value: try await tag("/todos/1")))
        #expect(try await api.send(.get, "/todos/1", headers: headers).status == 304)
    }
}
