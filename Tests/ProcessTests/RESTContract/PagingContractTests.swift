import Foundation
import Testing

extension RESTContract {
    /// `limit`, `cursor` and `completed` of `GET /todos`.
    @Suite("Pages")
    struct Pages {
        @Test(
            "limit gives pages that a Link with rel next joins to the whole list, also where many todos share a moment")
        func limit() async throws {
            let node = try await StandaloneNode { try $0.fill(100) }
            let all = try #require(try await node.client.get("/todos").json?.elements)
            for limit in [1, 7, 50, 99, 100, 1_000] {
                let pages = try await Self.follow("/todos?limit=\(limit)", of: node.client)
                #expect(pages.flatMap(\.self) == all, "limit \(limit)")
                #expect(pages.dropLast().allSatisfy { $0.count == limit }, "limit \(limit)")
                #expect((pages.last?.count ?? 0) <= limit, "limit \(limit)")
            }
        }

        @Test(
            "completed gives the todos that are, or are not, completed; with limit in pages", arguments: [true, false])
        func completed(isCompleted: Bool) async throws {
            let node = try await StandaloneNode { try $0.fill(100) }
            let all = try #require(try await node.client.get("/todos").json?.elements)
            let expected = all.filter { $0["completed"] == .boolean(isCompleted) }
            #expect(try await node.client.get("/todos?completed=\(isCompleted)").json?.elements == expected)
            let pages = try await Self.follow("/todos?completed=\(isCompleted)&limit=10", of: node.client)
            #expect(pages.flatMap(\.self) == expected && pages.count >= expected.count / 10)
        }

        @Test("without limit there is no next page, and HEAD has the same Link as GET")
        func link() async throws {
            let node = try await StandaloneNode { try $0.fill(3) }
            #expect(try await node.client.get("/todos")["link"] == nil)
            let link = try await node.client.get("/todos?limit=2")["link"]
            #expect(link != nil)
            #expect(try await node.client.send("HEAD", "/todos?limit=2")["link"] == link)
        }

        @Test("the pages that follow are the same when todos are created and deleted meanwhile")
        func meanwhile() async throws {
            let node = try await StandaloneNode { try $0.fill(10) }
            let all = try #require(try await node.client.get("/todos").json?.elements)
            let first = try await node.client.get("/todos?limit=5")
            #expect(try await node.client.create("newest").status == 201)
            // The last of the first page, where the next begins.
            #expect(try await node.client.send("DELETE", "/todos/\(all[4]["id"]?.integer ?? 0)").status == 204)
            let next = try #require(try Self.next(in: first))
            #expect(try await node.client.get(next).json?.elements == Array(all[5...]))
        }

        @Test(
            "a query that cannot be is 422 at query.<parameter>",
            arguments: [
                ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
                ("limit=99999999999999999999", "limit"), ("completed=maybe", "completed"), ("completed=1", "completed"),
                ("cursor=nonsense", "cursor"), ("cursor=%ff", "cursor"), ("limit=%zz", "limit"),
            ])
        func badQuery(query: String, parameter: String) async throws {
            let answer = try await SharedNode.client.get("/todos?\(query)")
            #expect(
                answer.isProblem(422) && answer.locations == ["query.\(parameter)"], "\(answer.status) \(answer.text)")
        }

        @Test(
            "parameters that nobody knows are ignored, as they always were", arguments: ["x=1", "x", "&&=", "limits=0"])
        func unknownQuery(query: String) async throws {
            #expect(try await SharedNode.client.get("/todos?\(query)").status == 200)
        }

        /// The todos of each page, until there is no next.
        private static func follow(_ path: String, of client: RawClient) async throws -> [[AnyJSON]] {
            var pages: [[AnyJSON]] = []
            var path: String? = path
            while let current = path, pages.count <= 200 {
                let answer = try await client.get(current)
                #expect(answer.status == 200 && answer["content-type"] == "application/json", "\(current)")
                pages.append(answer.json?.elements ?? [])
                path = try next(in: answer)
            }
            return pages
        }

        /// Path and query of the next page (RFC 8288); `nil` when this is the last.
        private static func next(in answer: HTTPAnswer) throws -> String? {
            guard let link = answer["link"] else { return nil }
            let match = try #require(
                link.wholeMatch(of: /<(?:http:\/\/[^\/]+)?(\/todos\?[^>]+)>; *rel="?next"?/), "\(link)")
            return String(match.1)
        }
    }
}
