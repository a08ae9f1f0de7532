import Foundation
import Testing

extension RESTContract {
    /// A file that the first version left, opened by a node.
    @Suite("The first version's database")
    struct SeedDatabase {
        static let times: [(text: String, expected: String)] = [
            ("2025-11-08 09:10:11", "2025-11-08T09:10:11.000Z"),
            ("2025-11-08T09:10:11Z", "2025-11-08T09:10:11.000Z"),
            ("2025-11-08 09:10:11Z", "2025-11-08T09:10:11.000Z"),
            ("2025-11-08T00:00:00Z", "2025-11-08T00:00:00.000Z"),
            ("2025-11-08T09:10:11.5Z", "2025-11-08T09:10:11.500Z"),
            ("2025-11-08 09:10:11.123456789", "2025-11-08T09:10:11.123Z"),
            ("2025-11-07 12:06:59.123456789+01:00", "2025-11-07T11:06:59.123Z"),
            ("2025-11-07T23:30:00-05:45", "2025-11-08T05:15:00.000Z"),
            ("2024-02-29 00:00:00.999999999+00:00", "2024-02-29T00:00:00.999Z"),
            ("2023-10-04 20:27:15.365730552 +1100 AEDT m=+245.85", "2023-10-04T09:27:15.365Z"),
            ("2025-11-08 09:10:11 +0000 UTC", "2025-11-08T09:10:11.000Z"),
            ("2025-11-08 09:10:11.1 -0330 NST m=+0.000000001", "2025-11-08T12:40:11.100Z"),
        ]

        @Test("each form of created_at is understood, and rewritten to the one form")
        func createdAt() async throws {
            let node = try await StandaloneNode { database in
                try database.run(SQLiteFile.seedSchema)
                for (index, time) in Self.times.enumerated() {
                    try database.run("INSERT INTO todos VALUES (\(index + 1), 'key-\(index)', 'x', 0, '\(time.text)')")
                }
            }
            for (index, time) in Self.times.enumerated() {
                let answer = try await node.client.get("/todos/\(index + 1)")
                #expect(answer.isTodo && answer.json?["created_at"] == .text(time.expected), "\(time.text)")
            }
            let rewritten = try node.database.rows("SELECT created_at FROM todos ORDER BY id")
            #expect(rewritten == Self.times.map(\.expected))
        }

        @Test("the file is taken over with its rows and ids, and the next id")
        func rows() async throws {
            let node = try await StandaloneNode { database in
                try database.run(SQLiteFile.seedSchema)
                try database.run(
                    """
                    INSERT INTO todos VALUES (1, 'a', 'A', 0, '2025-11-08 09:10:11');
                    INSERT INTO todos VALUES (5, 'e\u{301}', ' E ', 1, '2025-11-09 09:10:11');
                    INSERT INTO todos VALUES (20, 'gone', 'x', 0, '2025-11-10 09:10:11');
                    DELETE FROM todos WHERE id = 20;
                    """)
            }
            let answer = try await node.client.get("/todos")
            #expect(
                answer.text == """
                    [{"id":5,"extern_id":"e\u{301}","todo":" E ","completed":true,"created_at":"2025-11-09T09:10:11.000Z"},\
                    {"id":1,"extern_id":"a","todo":"A","completed":false,"created_at":"2025-11-08T09:10:11.000Z"}]
                    """)
            #expect(try await node.client.create("new").id == 21)
            #expect(try await node.client.send("PUT", "/todos/1", #"{"completed":true}"#).status == 200)
            #expect(try await node.client.create("a").isProblem(409))
        }

        @Test("a file without rows is taken over, and one in WAL mode", arguments: ["DELETE", "WAL"], [0, 3])
        func modes(mode: String, count: Int) async throws {
            let node = try await StandaloneNode { database in
                try database.run("PRAGMA journal_mode = \(mode)")
                try database.fill(count)
            }
            #expect(try await node.client.get("/todos").json?.elements.count == count)
        }

        @Test(
            "created_at that is none of the forms is reported with the row's id, and the file is left as it was",
            arguments: [
                "yesterday", "", "2025-11-08", "2025-13-08 09:10:11", "2025-02-29 09:10:11", "2025-11-08 25:10:11",
                "08.11.2025 09:10:11", "1762594211", "2025-11-08 09:10:11 AEDT",
            ])
        func unknownTime(text: String) async throws {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            let file = directory.appendingPathComponent("todos.db")
            try SQLiteFile(file.path).run(SQLiteFile.seedSchema)
            try SQLiteFile(file.path).run(
                """
                INSERT INTO todos VALUES (1, 'a', 'A', 0, '2025-11-08 09:10:11');
                INSERT INTO todos VALUES (4711, 'b', 'B', 0, '\(text)');
                """)
            let before = try Data(contentsOf: file)
            let process = try NodeProcess(["-port", "0", "-db", "todos.db"], in: directory, log: "out.log")
            #expect(process.waitForExit(seconds: 20) == NodeProcess.Exit(status: 1, wasSignal: false))
            #expect(process.output.contains("4711"), "\(process.output)")
            #expect(try Data(contentsOf: file) == before)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["out.log", "todos.db"])
        }
    }
}
