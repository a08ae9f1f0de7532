import Foundation
import Membership
import Replication
import Store
import Testing
import Transport

@Suite("Store", .timeLimit(.minutes(2)))
struct StoreTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    let store: Store

    init() throws {
        directory = try TemporaryDirectory()
        store = try Store.open(.test(directory.file(), clock: clock))
    }

    @Test("A created todo is read at once, by id and by extern_id")
    func create() async throws {
        let todo = try await store.created("a", "milk")
        #expect(
            todo
                == Todo(
                    id: 1, externID: "a", text: "milk", isCompleted: false, createdAtMilliseconds: clock.milliseconds))
        #expect(try await store.todo(id: 1) == todo)
        #expect(try await store.todo(externID: "a") == todo)
        #expect(try await store.todo(id: 2) == nil)
        #expect(try await store.todo(externID: "b") == nil)
        #expect(try await store.create(externID: "a", text: "other") == .exists)
        #expect(store.todoCount == 1)
    }

    @Test("A condition sees the todo as it is, and a write that it refuses changes nothing")
    func conditions() async throws {
        let todo = try await store.created("a", "milk")
        let fingerprint = store.summary.fingerprint
        for address in [TodoAddress.id(1), .externID("a")] {
            for condition in [
                TodoCondition(excluded: .all), TodoCondition(excluded: .some([todo.version])),
                TodoCondition(demanded: .some([])), TodoCondition(demanded: .some([TodoVersion(digest: 1)])),
                TodoCondition(demanded: .some([todo.version]), excluded: .some([todo.version])),
            ] {
                await #expect(throws: StoreError.refused) {
                    try await store.update(address, text: "bread", if: condition)
                }
                await #expect(throws: StoreError.refused) { try await store.update(address, if: condition) }
                await #expect(throws: StoreError.refused) { try await store.delete(address, if: condition) }
            }
        }
        #expect(store.summary.fingerprint == fingerprint)
        let never = TodoCondition(demanded: .some([]))
        #expect(try await store.update(.id(7), text: "x", if: never) == nil)
        #expect(try await store.delete(.externID("b"), if: never) == false)
        let met = TodoCondition(demanded: .some([TodoVersion(digest: 1), todo.version]))
        let changed = try #require(try await store.update(.id(1), text: "bread", if: met))
        #expect(changed.text == "bread" && changed.version != todo.version)
        await #expect(throws: StoreError.refused) { try await store.update(.id(1), text: "milk", if: met) }
        #expect(try await store.delete(.id(1), if: TodoCondition(excluded: .some([todo.version]))))
    }

    @Test("Of many writes that want the same state one goes on, though they share commits")
    func conditionsTogether() async throws {
        let condition = TodoCondition(demanded: .some([try await store.created("a", "milk").version]))
        let store = store
        let done = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask { (try? await store.update(.id(1), text: "text \(number)", if: condition)) != nil }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(done == 1)
    }

    @Test("Each commit that changed a row is told of, with its rows; what waits is counted, and so is the disk's part")
    func commitReports() async throws {
        let reports = BatchQueue<CommitReport>(maxCount: 100)
        var configuration = StoreConfiguration.test(directory.file("reports.db"), clock: clock)
        configuration.onCommit = { reports.append([$0]) }
        let store = try Store.open(configuration)
        _ = try await store.created("a", "milk")
        _ = try await store.update(.externID("a"), text: "bread")
        #expect(try await store.create(externID: "a", text: "again") == .exists)
        let told = reports.takeNow()
        #expect(told.map(\.rowCount) == [1, 1])
        #expect(told.allSatisfy { $0.duration > .zero && $0.duration < .seconds(60) })
        #expect(store.commitStatistics.commitCount == 2 && store.commitStatistics.rowCount == 2)
        #expect(store.waitingWriteCount == 0)
        let (database, log) = store.fileSizes()
        #expect(database >= 4_096 && log > 0)
        await store.close()
        #expect(store.fileSizes().log == 0)
    }

    @Test("The time of a commit has none in it that the writer waited for another program's lock")
    func lockedByAnother() async throws {
        let reports = BatchQueue<CommitReport>(maxCount: 100)
        var configuration = StoreConfiguration.test(directory.file("locked.db"), clock: clock)
        configuration.onCommit = { reports.append([$0]) }
        let store = try Store.open(configuration)
        let held = Duration.seconds(1)
        let other = try OtherProgram(directory.file("locked.db"))
        try other.run("BEGIN IMMEDIATE")
        async let todo = store.created("a", "milk")
        // Fixed, since it is what must not show: the lock is the only thing that this write waits for.
        try await Task.sleep(for: held)
        #expect(reports.takeNow().isEmpty)
        try other.run("ROLLBACK")
        _ = try await todo
        let told = reports.takeNow()
        #expect(told.count == 1 && told.allSatisfy { $0.duration < held / 2 }, "\(told)")
        await store.close()
    }

    @Test("Updates and deletes by either address; ids are never used again")
    func updateAndDelete() async throws {
        _ = try await store.created("a", "milk")
        let updated = try await store.update(.id(1), text: "bread")
        #expect(updated?.text == "bread" && updated?.isCompleted == false)
        #expect(try await store.update(.externID("a"), isCompleted: true)?.isCompleted == true)
        #expect(try await store.update(.id(1))?.text == "bread")
        #expect(try await store.update(.id(7), text: "x") == nil)
        #expect(try await store.delete(.externID("a")))
        #expect(try await !store.delete(.id(1)))
        #expect(try await store.todo(id: 1) == nil)
        #expect(try await store.created("a", "again").id == 2)
        #expect(try await store.delete(.id(2)))
        #expect(try await store.created("b").id == 3)
        await store.close()
        let reopened = try Store.open(.test(directory.file(), clock: clock))
        #expect(try await reopened.delete(.id(3)))
        #expect(try await reopened.created("c").id == 4)
        await reopened.close()
    }

    @Test("A plain sqlite3 reads the seed's five columns while the store runs")
    func plainReader() async throws {
        _ = try await store.created("a", "milk")
        _ = try await store.update(.id(1), isCompleted: true)
        let other = try OtherProgram(directory.file())
        #expect(try other.rows("SELECT * FROM todos") == ["1|a|milk|1|2026-01-02T03:04:05.678Z"])
        #expect(
            try other.rows("SELECT name, type, \"notnull\", pk FROM pragma_table_info('todos')") == [
                "id|INTEGER|0|1", "extern_id|TEXT|1|0", "todo|TEXT|1|0", "completed|BOOLEAN|1|0",
                "created_at|TIMESTAMP|1|0",
            ])
        #expect(
            try other.rows("SELECT name FROM pragma_index_list('todos') ORDER BY name") == [
                "idx_todos_completed", "idx_todos_created_at", "idx_todos_extern_id",
            ])
        #expect(try other.rows("SELECT name FROM sqlite_schema WHERE sql LIKE '%STRICT%'") == [])
    }

    @Test(
        "Keys and texts are kept to the byte",
        arguments: [
            "", "a\0b", "\0", "é", "e\u{301}", "👩‍👩‍👧‍👦", String(repeating: "é", count: 80), " a ", "a\n",
            "\u{feff}x", "'; DROP TABLE todos; --", "%",
        ])
    func bytes(key: String) async throws {
        let twins = ["é", "e\u{301}", "a", "a\0", "\u{feff}"]
        for twin in twins where !twin.utf8.elementsEqual(key.utf8) { _ = try await store.created(twin, "twin") }
        let todo = try await store.created(key, key)
        let found = try #require(try await store.todo(externID: key))
        #expect(found == todo)
        #expect(found.externID.utf8.elementsEqual(key.utf8) && found.text.utf8.elementsEqual(key.utf8))
        #expect(try await store.create(externID: key, text: "x") == .exists)
        #expect(try await store.delete(.externID(key)))
        let twin = try await store.todo(externID: "e\u{301}")
        #expect(twin?.text == (key.utf8.elementsEqual("e\u{301}".utf8) ? nil : "twin"))
    }

    @Test("Keys and texts up to the limit are taken, one byte more is refused")
    func limits() async throws {
        let key = String(repeating: "k", count: Row.maxKeyBytes)
        let text = String(repeating: "t", count: Row.maxTextBytes)
        #expect(try await store.created(key, text).text == text)
        #expect(
            await failure { _ = try await store.create(externID: key + "k", text: "") }
                == .tooLarge(bytes: Row.maxKeyBytes + 1, limit: Row.maxKeyBytes))
        #expect(
            await failure { _ = try await store.update(.id(1), text: text + "t") }
                == .tooLarge(bytes: Row.maxTextBytes + 1, limit: Row.maxTextBytes))
    }

    @Test("Pages show the newest first, those of one moment by descending id, each once")
    func pages() async throws {
        for number in 0..<250 {
            clock.milliseconds += number % 50 == 0 ? 1 : 0
            if number == 200 { clock.milliseconds -= 3 }
            _ = try await store.created("key \(number)")
            if number % 3 == 0 { _ = try await store.update(.id(Int64(number + 1)), isCompleted: true) }
        }
        func all(_ limit: Int, _ isCompleted: Bool? = nil) async throws -> [Todo] {
            var todos: [Todo] = []
            while true {
                let cursor = todos.last.map {
                    TodoCursor(createdAtMilliseconds: $0.createdAtMilliseconds, id: $0.id)
                }
                let page = try await store.page(after: cursor, limit: limit, isCompleted: isCompleted)
                if page.isEmpty { return todos }
                #expect(page.count <= limit)
                todos += page
            }
        }
        let todos = try await all(1_000)
        #expect(todos.count == 250)
        let expected = todos.sorted {
            ($0.createdAtMilliseconds, $0.id) > ($1.createdAtMilliseconds, $1.id)
        }
        #expect(todos == expected)
        for limit in [1, 7, 50, 249, 250] { #expect(try await all(limit) == expected) }
        #expect(try await all(7, true) == expected.filter(\.isCompleted))
        #expect(try await all(100, false) == expected.filter { !$0.isCompleted })
        #expect(try await store.page(limit: 0) == [])
        #expect(try await store.page(after: TodoCursor(createdAtMilliseconds: .min, id: 5), limit: 5) == [])
        #expect(try await store.page(after: TodoCursor(createdAtMilliseconds: .max, id: 5), limit: 300) == expected)
    }

    @Test("Concurrent writes share commits, and one that fails does not fail the others")
    func groupCommit() async throws {
        let tasks = 64
        let outcomes = try await withThrowingTaskGroup(of: [CreateOutcome].self) { group in
            for task in 0..<tasks {
                group.addTask {
                    var outcomes: [CreateOutcome] = []
                    for number in 0..<40 {
                        // Every other key is fought over by all tasks.
                        let key = number % 2 == 0 ? "shared \(number)" : "\(task) \(number)"
                        outcomes.append(try await store.create(externID: key, text: "text"))
                    }
                    return outcomes
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes.count { $0 != .exists } == 20 + tasks * 20)
        #expect(store.todoCount == 20 + tasks * 20)
        let statistics = store.commitStatistics
        #expect(statistics.rowCount == store.todoCount)
        #expect(statistics.commitCount < statistics.rowCount / 2, "\(statistics)")
        #expect(statistics.largestBatch > 1)
        #expect(store.committed.takeNow().count == statistics.rowCount)
    }

    @Test("A bulk merge of 20,000 rows is split, and local writes go along with its parts")
    func bulkMerge() async throws {
        let rows = (0..<20_000).map { number in
            Row.created(
                key: ByteString("bulk \(number)"), text: "text", atMilliseconds: clock.milliseconds,
                stamp: Stamp(time: HybridTime(milliseconds: clock.milliseconds), origin: NodeID(1)))
        }
        async let merge = store.merge(rows)
        var createdDuring = 0
        while store.summary.count < 15_000 {
            _ = try await store.created("local \(createdDuring)")
            createdDuring += 1
        }
        #expect(try await merge.isNews.allSatisfy { $0 })
        #expect(createdDuring > 1)
        #expect(store.todoCount == 20_000 + createdDuring)
        #expect(store.commitStatistics.largestBatch <= 3_100)
        #expect(try await allRows(of: store, maxBytes: 64 << 10).count == 20_000 + createdDuring)
        #expect(try await store.merge(rows).isNews.allSatisfy { !$0 })
    }

    @Test("Pages of the replica stay whole while rows are deleted and created between them")
    func pagesUnderChange() async throws {
        for number in 100..<400 { _ = try await store.created("key \(number)") }
        var seen: [Row] = []
        var isLast = false
        while !isLast {
            let page = try await store.page(after: seen.last?.key, maxBytes: 1_500)
            seen += page.rows.map(\.row)
            isLast = page.isLast
            // Behind, at, and ahead of the page: deleted, created anew, edited.
            let number = 100 + seen.count % 300
            _ = try await store.delete(.externID("key \(number)"))
            _ = try await store.delete(.externID("key \(399 - seen.count % 100)"))
            if seen.count % 2 == 0 { _ = try await store.create(externID: "key \(number)", text: "again") }
            if let key = seen.last?.key.string { _ = try await store.delete(.externID(key)) }
        }
        #expect(seen.map(\.key) == (100..<400).map { ByteString("key \($0)") })
        #expect(try await allRows(of: store).count == 300)
    }

    @Test("Reads go on beside writes, and see what was acknowledged")
    func readYourWrites() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<50 {
                        let todo = try await store.created("\(task) \(number)")
                        #expect(try await store.todo(id: todo.id) == todo)
                        _ = try await store.update(.id(todo.id), text: "new")
                        #expect(try await store.todo(externID: todo.externID)?.text == "new")
                        #expect(try await store.delete(.id(todo.id)))
                        #expect(try await store.todo(id: todo.id) == nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.todoCount == 0 && store.summary.count == 400)
    }

    @Test("Known members are kept across restarts; one whose address cannot be read is left out")
    func members() async throws {
        let addresses = try ["10.0.0.1:7946", "[::1]:7946"].map { try #require(PeerAddress($0)) }
        let members = [
            KnownMember(name: "a", nodeID: NodeID(.max), address: addresses[0]),
            KnownMember(name: "b", address: addresses[1]),
        ]
        let other = KnownMember(name: "z", nodeID: NodeID(0), address: members[0].address)
        try await store.saveKnownMembers([members[0], other])
        try await store.saveKnownMembers(members.reversed())
        #expect(try await store.knownMembers() == members)
        await store.close()
        let reopened = try Store.open(.test(directory.file()))
        #expect(try await reopened.knownMembers() == members)
        #expect(reopened.nodeID == store.nodeID && reopened.streamStart > store.streamStart)
        try OtherProgram(directory.file()).run("UPDATE members SET address = 'x' WHERE name = 'a'")
        #expect(try await reopened.knownMembers() == [members[1]])
        try await reopened.saveKnownMembers([])
        #expect(try await reopened.knownMembers() == [])
        await reopened.close()
    }

    @Test("Closing answers what waits, may be repeated, and leaves one file; later calls fail")
    func closing() async throws {
        async let creates = withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask { await failure { _ = try await store.created("key \(number)") } == nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        async let first: Void = store.close()
        async let second: Void = store.close()
        let (created, _, _) = await (creates, first, second)
        #expect(await failure { _ = try await store.todo(id: 1) } == .closed)
        #expect(await failure { _ = try await store.create(externID: "x", text: "x") } == .closed)
        #expect(await failure { _ = try await store.page(after: nil, maxBytes: 1) } == .closed)
        #expect(try directory.contents().keys.sorted() == ["todos.db"])
        let reopened = try Store.open(.test(directory.file()))
        #expect(reopened.todoCount == created)
        await reopened.close()
    }

    @Test("More waiting writes than the bound are refused, not queued")
    func overload() async throws {
        var configuration = StoreConfiguration.test(directory.file("small.db"))
        configuration.maxWaitingRequests = 2
        configuration.maxWaitingBytes = 100_000
        let small = try Store.open(configuration)
        let failures = await withTaskGroup(of: StoreError?.self) { group in
            for number in 0..<500 {
                group.addTask {
                    await failure {
                        _ = try await small.create(externID: "\(number)", text: String(repeating: "x", count: 90_000))
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
        }
        #expect(failures.allSatisfy { $0 == .overloaded })
        #expect(small.todoCount == 500 - failures.count && small.todoCount > 0)
        await small.close()
    }
}
