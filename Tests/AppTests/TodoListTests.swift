import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Store
import Testing

@testable import AutoClusterSync

@Suite("Lists in pages")
struct TodoListTests {
    let api = RESTFixture()

    /// Follows the links from `path` to the end: the ids of each page.
    private func pages(_ path: String) async throws -> [[Int]] {
        var pages: [[Int]] = []
        var next: String? = path
        while let path = next {
            let answer = try await api.get(path)
            let list = try #require(answer.json as? [[String: Any]])
            pages.append(list.compactMap { $0["id"] as? Int })
            try #require(pages.count <= 100)
            next = try answer.headers[.link].map { link in
                try #require(link.hasPrefix("</todos?") && link.hasSuffix(">; rel=\"next\""))
                return String(link.dropFirst().dropLast(">; rel=\"next\"".count))
            }
        }
        return pages
    }

    @Test(
        "Pages follow each other by their links, each todo once, and the last has none",
        arguments: [1, 3, 7, 10, 11, 1000])
    func walk(limit: Int) async throws {
        api.service.fill(10, text: "x")
        let pages = try await pages("/todos?limit=\(limit)")
        #expect(pages.flatMap { $0 } == Array((1...10).reversed()))
        #expect(pages.dropLast().allSatisfy { $0.count == limit } && pages.count == (10 + limit - 1) / limit)
    }

    @Test("A page keeps its place while todos come and go")
    func stable() async throws {
        api.service.fill(6, text: "x")
        let first = try await api.get("/todos?limit=2")
        let link = try #require(first.headers[.link])
        api.service.fill(1, text: "new")
        _ = try api.service.delete(.id(5), if: nil)
        _ = try api.service.delete(.id(4), if: nil)
        let path = String(link.dropFirst().prefix { $0 != ">" })
        let list = try #require(try await api.get(path).json as? [[String: Any]])
        #expect(list.compactMap { $0["id"] as? Int } == [3, 2])
    }

    @Test("completed shows one kind only, also over pages and in long lists")
    func completed() async throws {
        api.service.fill(600, text: "x")
        for id in stride(from: Int64(2), through: 600, by: 2) {
            _ = try api.service.update(.id(id), text: nil, isCompleted: true, if: nil)
        }
        let even = Array(stride(from: 600, through: 2, by: -2))
        #expect(try await pages("/todos?completed=true") == [even])
        #expect(try await pages("/todos?completed=true&limit=7").flatMap { $0 } == even)
        #expect(try await pages("/todos?limit=100&completed=false").flatMap { $0 } == even.map { $0 - 1 })
    }

    @Test("A cursor without a limit leads to all that is left")
    func cursorAlone() async throws {
        api.service.fill(600, text: "x")
        let cursor = TodoCursor(after: api.service.todos[590])
        let answer = try await api.get("/todos?cursor=\(cursor.text)")
        #expect((answer.json as? [[String: Any]])?.compactMap { $0["id"] as? Int } == Array((1...590).reversed()))
    }

    @Test(
        "Cursors have one text each, whatever the numbers",
        arguments: [0, 1, -1, .max, .min, 1_767_323_045_678] as [Int64])
    func cursorTexts(number: Int64) {
        let cursor = TodoCursor(createdAtMilliseconds: number, id: number &+ 1)
        #expect(cursor.text.utf8.count == 32 && TodoCursor(text: cursor.text) == cursor)
    }

    @Test(
        "What no page has is refused with its place",
        arguments: [
            ("limit=0", "query.limit"), ("limit=1001", "query.limit"), ("limit=-1", "query.limit"),
            ("limit=x", "query.limit"), ("limit=", "query.limit"), ("limit", "query.limit"),
            ("limit=%2B1", "query.limit"),
            ("limit=%", "query.limit"), ("limit=99999999999999999999", "query.limit"),
            ("limit=1&limit=1", "query.limit"),
            ("cursor=", "query.cursor"), ("cursor=x", "query.cursor"),
            ("cursor=0000000000000000000000000000000G", "query.cursor"),
            ("cursor=0000000000000000000000000000000A", "query.cursor"),
            ("cursor=-000000000000000+000000000000001", "query.cursor"),
            ("completed=1", "query.completed"), ("completed=True", "query.completed"), ("completed", "query.completed"),
        ])
    func refused(query: String, location: String) async throws {
        let answer = try await api.get("/todos?\(query)")
        #expect(answer.isProblem(422) && answer.errors.map { $0["location"] as? String } == [location])
    }

    @Test("Parameters that mean nothing here are let through, and names may be percent-encoded")
    func otherParameters() async throws {
        api.service.fill(3, text: "x")
        for query in ["", "_=1", "a", "=", "&&", "LIMIT=0", "limits=0", "limit%00=0"] {
            #expect(try await pages("/todos?\(query)") == [[3, 2, 1]], "\(query)")
        }
        #expect(try await pages("/todos?%6Cimit=%32&x=1") == [[3, 2], [1]])
    }
}
