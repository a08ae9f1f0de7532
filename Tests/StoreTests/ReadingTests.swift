import Foundation
import Store
import Testing

/// What readers see, and when.
@Suite("Reading")
struct ReadingTests {
    private let directory: TemporaryDirectory
    private let store: Store

    init() throws {
        directory = try TemporaryDirectory()
        store = try Store.open(.test(directory.file()))
    }

    /// Often enough that every reader is asked.
    private func everyNewest(_ limit: Int = 100) async throws -> [[Todo]] {
        try await withThrowingTaskGroup(of: [Todo].self) { group in
            for _ in 0..<16 { group.addTask { try await store.page(limit: limit) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test("The newest page shows every write at once: own ones, merged ones and those of another program")
    func newest() async throws {
        for page in try await everyNewest() { #expect(page.isEmpty) }
        let first = try await store.created("a")
        for page in try await everyNewest() { #expect(page == [first]) }
        for page in try await everyNewest() { #expect(page == [first]) }
        let ticked = try #require(try await store.update(.id(first.id), isCompleted: true))
        for page in try await everyNewest() { #expect(page == [ticked]) }
        let second = try await store.created("b")
        for page in try await everyNewest() { #expect(page == [second, ticked]) }
        for page in try await everyNewest(1) { #expect(page == [second]) }
        try OtherProgram(directory.file()).run("UPDATE todos SET todo = 'theirs' WHERE extern_id = 'a'")
        for page in try await everyNewest() { #expect(page.map(\.text) == ["text", "theirs"]) }
        #expect(try await store.delete(.id(second.id)))
        for page in try await everyNewest() { #expect(page.map(\.externID) == ["a"]) }
        await store.close()
    }

    @Test("A page of long texts comes as often as it is asked for")
    func longTexts() async throws {
        for number in 0..<8 { _ = try await store.created("\(number)", String(repeating: "x", count: 200_000)) }
        for page in try await everyNewest() { #expect(page.count == 8 && page[0].text.utf8.count == 200_000) }
        _ = try await store.created("last")
        for page in try await everyNewest() { #expect(page.count == 9 && page[0].externID == "last") }
        await store.close()
    }

    @Test("Many reads at once see every write that was acknowledged before they were asked")
    func acknowledged() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<32 {
                group.addTask {
                    for number in 0..<20 {
                        let todo = try await store.created("\(client)-\(number)")
                        async let byKey = store.todo(externID: todo.externID)
                        async let byID = store.todo(id: todo.id)
                        async let nothing = store.todo(externID: "\(client)-\(number)-")
                        let found = try await (byKey, byID, nothing)
                        #expect(found.0 == todo && found.1 == todo && found.2 == nil)
                        let updated = try await store.update(.id(todo.id), text: "\(number)")
                        #expect(try await store.todo(id: todo.id) == updated)
                    }
                }
            }
            try await group.waitForAll()
        }
        await store.close()
    }

    @Test("An update writes what it names, and every index follows")
    func updates() async throws {
        for (key, text, completed) in [("t", "new", nil), ("c", nil, true), ("b", "new", true), ("n", nil, nil)]
            as [(String, String?, Bool?)]
        {
            let todo = try await store.created(key)
            let updated = try await store.update(.id(todo.id), text: text, isCompleted: completed)
            let expected = Todo(
                id: todo.id, externID: key, text: text ?? "text", isCompleted: completed ?? false,
                createdAtMilliseconds: todo.createdAtMilliseconds)
            #expect(updated == expected)
            #expect(try await store.todo(externID: key) == expected)
        }
        // Once more with the values that they have.
        #expect(try await store.update(.externID("b"), text: "new", isCompleted: true)?.text == "new")
        await store.close()
        let other = try OtherProgram(directory.file())
        #expect(try other.rows("PRAGMA integrity_check") == ["ok"])
        #expect(
            try other.rows("SELECT extern_id FROM todos WHERE completed = 1 ORDER BY extern_id") == ["b", "c"])
    }

    @Test("A row with an id that no todo has is hidden from every read", arguments: [-5, 0, Int64.min])
    func impossibleID(id: Int64) async throws {
        _ = try await store.created("a")
        try OtherProgram(directory.file()).run(
            "INSERT INTO todos (id, extern_id, todo, created_at) VALUES (\(id), 'x', 'y', '2020-01-01 00:00:00')")
        for page in try await everyNewest() { #expect(page.map(\.externID) == ["a"]) }
        #expect(try await store.todo(id: id) == nil)
        #expect(try await store.todo(externID: "x") == nil)
        _ = try await store.created("b")
        for page in try await everyNewest() { #expect(page.map(\.externID) == ["b", "a"]) }
        await store.close()
    }
}
