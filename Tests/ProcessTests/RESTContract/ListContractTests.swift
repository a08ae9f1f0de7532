import Foundation
import Testing

extension RESTContract {
    @Suite("List")
    struct List {
        @Test("GET /todos of an empty node is []")
        func empty() async throws {
            let node = try await StandaloneNode()
            let answer = try await node.client.get("/todos")
            #expect(answer.status == 200 && answer["content-type"] == "application/json" && answer.text == "[]")
        }

        @Test("GET /todos is 200 with a JSON array of all todos")
        func all() async throws {
            let client = try SharedNode.client
            let created = try await client.create("listed")
            let answer = try await client.get("/todos")
            #expect(answer.status == 200 && answer["content-type"] == "application/json")
            let todos = answer.json?.elements ?? []
            #expect(todos.allSatisfy { $0.isTodo })
            #expect(todos.filter { $0["extern_id"] == .text("listed") } == [created.json])
        }

        @Test("GET /todos has the newest created_at first, whatever the ids")
        func order() async throws {
            let node = try await StandaloneNode { database in
                try database.run(SQLiteFile.seedSchema)
                try database.run(
                    """
                    INSERT INTO todos (extern_id, todo, created_at) VALUES ('middle', 'x', '2025-02-01 00:00:00'),
                      ('new', 'x', '2025-03-01 00:00:00'), ('old', 'x', '2025-01-01 00:00:00');
                    """)
            }
            #expect(try await node.client.create("newest").status == 201)
            let todos = try await node.client.get("/todos").json?.elements ?? []
            #expect(todos.map { $0["extern_id"]?.text } == ["newest", "new", "middle", "old"])
        }

        @Test("GET /todos of many todos is streamed, and whole")
        func streamed() async throws {
            let node = try await StandaloneNode { try $0.fill(5_000) }
            let answer = try await node.client.get("/todos")
            #expect(answer.status == 200 && answer.isChunked)
            let todos = answer.json?.elements ?? []
            #expect(todos.count == 5_000 && todos.allSatisfy { $0.isTodo })
            #expect(Set(todos.compactMap { $0["extern_id"]?.text }).count == 5_000)
            let times = todos.compactMap { $0["created_at"]?.text }
            #expect(times == times.sorted(by: >))
        }
    }
}

extension SQLiteFile {
    /// Makes a database of the first version with todos `todo-1` and on, of which each third is completed, five to a second.
    func fill(_ count: Int) throws {
        try run(Self.seedSchema)
        try run(
            """
            WITH RECURSIVE numbers(number) AS (VALUES (0) UNION ALL SELECT number + 1 FROM numbers WHERE number < \(count))
            INSERT INTO todos (extern_id, todo, completed, created_at)
              SELECT 'todo-' || number, 'text', number % 3 = 0, datetime('2025-01-01', (number * 7919 % 1000) || ' seconds')
              FROM numbers WHERE number > 0;
            """)
    }
}
