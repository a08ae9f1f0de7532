import Foundation
import Replication
@testable import Store
import TestSupport
import Testing
import Transport

@Suite("Taking over the seed's database", .timeLimit(.minutes(1)))
struct TakeoverTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    var path: String { directory.file() }

    init() throws {
        directory = try TemporaryDirectory()
        try OtherProgram(path).run(seedSchema)
    }

    private func open() throws -> Store { try Store.open(.test(path, clock: clock)) }

    @Test("Rows, ids and the next id are kept; times become the one form; stamps are those of the creation")
    func takeOver() async throws {
        try OtherProgram(path).run(
            """
            INSERT INTO todos VALUES (1, 'a', 'A', 0, '2025-11-08 09:10:11');
            INSERT INTO todos VALUES (3, 'c', 'C', 1, '2025-11-07 12:06:59.123456789+01:00');
            INSERT INTO todos VALUES (4, 'd', 'D', 0, '2025-11-08T00:00:00Z');
            INSERT INTO todos VALUES (7, 'g', 'G', 1, '2023-10-04 20:27:15.365730552 +1100 AEDT m=+245.85');
            INSERT INTO todos VALUES (8, 'future', 'F', 0, '2150-01-01T00:00:00.000Z');
            INSERT INTO todos VALUES (9, 'past', 'P', 0, '0001-01-01 00:00:00');
            INSERT INTO todos VALUES (20, 'gone', 'x', 0, '2025-11-08 09:10:11');
            DELETE FROM todos WHERE id = 20;
            """)
        let store = try open()
        #expect(store.outsideChanges.takenOver == 6 && store.todoCount == 6 && store.summary.count == 6)
        #expect(
            try OtherProgram(path).rows("SELECT * FROM todos") == [
                "1|a|A|0|2025-11-08T09:10:11.000Z", "3|c|C|1|2025-11-07T11:06:59.123Z",
                "4|d|D|0|2025-11-08T00:00:00.000Z", "7|g|G|1|2023-10-04T09:27:15.365Z",
                "8|future|F|0|2150-01-01T00:00:00.000Z", "9|past|P|0|0001-01-01T00:00:00.000Z",
            ])
        for row in try await allRows(of: store) {
            guard case .created(let milliseconds) = row.presence.value else { throw TestFailure("deleted") }
            if milliseconds < ForeignTodo.firstStart {
                #expect(row.presence.stamp.time == HybridTime(milliseconds: milliseconds))
            } else {
                #expect((0..<86_400_000).contains(row.presence.stamp.time.milliseconds - ForeignTodo.firstStart))
            }
            #expect(row.presence.stamp.origin == store.nodeID)
            #expect(row.text?.stamp == row.presence.stamp && row.completed?.stamp == row.presence.stamp)
        }
        #expect(try await store.created("new").id == 21)
        #expect(try await store.page(limit: 2).map(\.externID) == ["future", "new"])
        let summary = store.summary
        await store.close()
        let reopened = try open()
        #expect(reopened.outsideChanges.takenOver == 0 && reopened.summary == summary)
        await reopened.close()
    }

    @Test(
        "A copy that is taken over later beats no delete of what the first one held, were its rows from the future",
        arguments: [-3_600_000, 3_600_000, 40 * 86_400_000, 300 * 365 * 86_400_000])
    func takenOverTwice(milliseconds: Int64) async throws {
        let created = Timestamp.format(clock.milliseconds + milliseconds)
        try OtherProgram(path).run(
            """
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('k', 'x', '\(created)');
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('kept', 'x', '\(created)');
            """)
        try directory.copyDatabase(to: "copy.db")
        let first = try open()
        let before = try await allRows(of: first)
        #expect(before.allSatisfy { $0.latestStamp.time.milliseconds <= clock.milliseconds })
        clock.milliseconds += 600_000
        #expect(try await first.delete(.externID("k")))
        clock.milliseconds += 30 * 86_400_000
        let second = try Store.open(.test(directory.file("copy.db"), clock: clock))
        let (ofFirst, ofSecond) = (try await allRows(of: first), try await allRows(of: second))
        #expect(ofSecond.map(\.latestStamp.time) == before.map(\.latestStamp.time))
        _ = try await first.merge(ofSecond)
        _ = try await second.merge(ofFirst)
        #expect(first.todoCount == 1 && second.todoCount == 1 && first.summary == second.summary)
        await first.close()
        await second.close()
    }

    @Test("A seed's file in WAL mode, closed or left by a crash, is taken over", arguments: [false, true])
    func walMode(isCrashed: Bool) async throws {
        do {
            let seed = try OtherProgram(path)
            try seed.run("PRAGMA journal_mode = WAL; INSERT INTO todos (extern_id, todo) VALUES ('a', 'A')")
            if isCrashed { seed.keepLog() }
        }
        #expect(FileManager.default.fileExists(atPath: path + "-wal") == isCrashed)
        let store = try open()
        #expect(store.outsideChanges.takenOver == 1)
        #expect(try await store.todo(externID: "a")?.text == "A")
        await store.close()
        #expect(try directory.contents().keys.sorted() == ["todos.db"])
    }

    @Test(
        "A row that no todo can hold is named, and the file stays as it was, without a trace",
        arguments: [
            "(5, 'x', 'x', 0, 'yesterday')", "(5, 'x', 'x', 0, 1762594211)", "(5, 'x', 'x', 2, '2025-11-08 09:10:11')",
            "(5, 'x', 'x', 'yes', '2025-11-08 09:10:11')", "(5, x'ff', 'x', 0, '2025-11-08 09:10:11')",
            "(5, 'x', CAST(x'ff' AS TEXT), 0, '2025-11-08 09:10:11')",
            "(5, printf('%.4097c', 'k'), 'x', 0, '2025-11-08 09:10:11')",
            "(5, 'x', printf('%.262145c', 'k'), 0, '2025-11-08 09:10:11')",
        ], ["DELETE", "WAL"])
    func invalidRow(values: String, mode: String) throws {
        try OtherProgram(path).run(
            """
            PRAGMA journal_mode = \(mode);
            INSERT INTO todos VALUES (1, 'a', 'A', 0, '2025-11-08 09:10:11'); INSERT INTO todos VALUES \(values)
            """)
        let before = try directory.contents()
        guard case .invalidRow(path, id: 5, _) = openFailure(path) else {
            Issue.record("\(String(describing: openFailure(path)))")
            return
        }
        #expect(try directory.contents() == before)
    }

    @Test(
        "Todos inserted by hand between two starts are stamped and counted; removed ones are deleted, edited ones written"
    )
    func byHand() async throws {
        var store = try open()
        _ = try await store.created("kept")
        _ = try await store.created("removed")
        _ = try await store.created("deleted")
        _ = try await store.delete(.externID("deleted"))
        let before = try await allRows(of: store)
        let deleted = try #require(before.first { $0.isDeleted })
        await store.close()
        try OtherProgram(path).run(
            """
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('hand', 'H', '2025-11-08 09:10:11');
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('deleted', 'back', '2020-11-08 09:10:11');
            DELETE FROM todos WHERE extern_id = 'removed';
            UPDATE todos SET created_at = '2024-01-01 00:00:00', todo = 'edited' WHERE extern_id = 'kept';
            """)
        clock.milliseconds -= 86_400_000
        store = try open()
        #expect(store.outsideChanges == OutsideChanges(takenOver: 2, edited: 1, removed: 1))
        #expect(store.todoCount == 3 && store.summary.count == 4)
        let rows = try await allRows(of: store)
        #expect(rows.map(\.key) == ["deleted", "hand", "kept", "removed"])
        #expect(rows[0].presence.stamp > deleted.latestStamp && !rows[0].isDeleted)
        #expect(rows[1].presence.stamp.time.milliseconds == 1_762_593_011_000)
        #expect(rows[2].text?.value == "edited")
        #expect(rows[2].presence.stamp > before[1].latestStamp && rows[2].text?.stamp == rows[2].presence.stamp)
        #expect(rows[3].isDeleted && rows[3].presence.stamp > before[2].latestStamp)
        #expect(
            try OtherProgram(path).rows("SELECT created_at FROM todos WHERE extern_id = 'kept'")
                == ["2024-01-01T00:00:00.000Z"])
        #expect(try OtherProgram(path).rows("SELECT extern_id FROM tombstones") == ["removed"])
        let summary = store.summary
        await store.close()
        store = try open()
        #expect(store.summary == summary && store.outsideChanges == OutsideChanges())
        await store.close()
    }

    @Test("What another program writes while the store runs is found with the next write")
    func whileRunning() async throws {
        let store = try open()
        _ = try await store.created("a")
        try OtherProgram(path).run(
            """
            INSERT INTO todos (extern_id, todo) VALUES ('hand', 'H');
            UPDATE todos SET todo = 'edited' WHERE extern_id = 'a';
            """)
        #expect(try await store.update(.externID("hand"), text: "new")?.text == "new")
        #expect(store.outsideChanges.takenOver == 1 && store.todoCount == 2)
        #expect(try await store.delete(.externID("a")))
        #expect(try await store.create(externID: "hand", text: "x") == .exists)
        let summary = store.summary
        await store.close()
        let reopened = try open()
        #expect(reopened.summary == summary && reopened.outsideChanges.takenOver == 0)
        await reopened.close()
    }

    @Test(
        "A change by another program is another version at once, be the row stamped or not, and a write sees the same one"
    )
    func versions() async throws {
        let store = try open()
        _ = try await store.created("stamped")
        let other = try OtherProgram(path)
        try other.run("INSERT INTO todos (extern_id, todo, created_at) VALUES ('hand', 'H', '2025-11-08 09:10:11')")
        for externID in ["hand", "stamped"] {
            func version() async throws -> TodoVersion {
                try #require(try await store.todo(externID: externID)).version
            }
            var seen = [try await version()]
            #expect(try await version() == seen[0])
            for change in ["todo = 'new'", "completed = 1", "created_at = '2024-01-01 00:00:00'", "id = id + 10"] {
                try other.run("UPDATE todos SET \(change) WHERE extern_id = '\(externID)'")
                let version = try await version()
                #expect(!seen.contains(version), "\(change)")
                seen.append(version)
            }
            // The first write of the node stamps the row, and what it holds stays.
            let current = seen.removeLast()
            for old in seen {
                await #expect(throws: StoreError.refused) {
                    try await store.update(
                        .externID(externID), text: "x", if: TodoCondition(demanded: .some([old])))
                }
            }
            #expect(try await version() == current)
            let condition = TodoCondition(demanded: .some([current]))
            let written = try #require(try await store.update(.externID(externID), text: "x", if: condition))
            #expect(try await version() == written.version && written.version != current)
        }
        await store.close()
    }

    @Test("A row spoilt while the node runs is hidden and counted; all else goes on, and mended it is back")
    func spoilt() async throws {
        var store = try open()
        for key in ["a", "b", "c", "d"] {
            clock.milliseconds += 1
            _ = try await store.created(key)
        }
        let rows = try await allRows(of: store)
        let other = try OtherProgram(path)
        try other.run(
            """
            UPDATE todos SET created_at = 'yesterday' WHERE extern_id = 'b';
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('hand', 'H', 'tomorrow');
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('good', 'G', '2020-01-01 00:00:00');
            """)
        // Before the next write notices.
        #expect(try await store.page(limit: 2).map(\.externID) == ["d", "c"])
        #expect(try await store.page(limit: 10).map(\.externID) == ["d", "c", "a", "good"])
        #expect(try await store.todo(id: 2) == nil)
        #expect(try await allRows(of: store).map(\.key) == ["a", "c", "d"])

        clock.milliseconds += 1
        _ = try await store.created("e")
        #expect(store.spoiltCount == 2 && store.outsideChanges.takenOver == 1)
        #expect(store.todoCount == 5 && store.summary.count == 5)
        #expect(try await store.page(limit: 3).map(\.externID) == ["e", "d", "c"])
        #expect(try await allRows(of: store).map(\.key) == ["a", "c", "d", "e", "good"])
        let stamp = Stamp(
            time: HybridTime(milliseconds: clock.milliseconds), origin: NodeID(store.nodeID.rawValue ^ 1))
        let news = ["b", "hand", "x"].map {
            Row.created(key: ByteString($0), text: ByteString("T"), atMilliseconds: clock.milliseconds, stamp: stamp)
        }
        let outcome = try await store.merge(rows + news)
        #expect(outcome.isNews == [false, false, false, false, false, false, true])
        // They are not here, and nobody is to think so: b, that was there before, too.
        #expect(outcome.passedOverCount == 3)
        for key in ["b", "hand"] {
            #expect(try await store.create(externID: key, text: "T") == .exists)
            #expect(try await store.update(.externID(key), text: "T") == nil)
            #expect(try await store.delete(.externID(key)) == false)
        }
        #expect(try await store.update(.id(2), text: "T") == nil)
        _ = try await store.digests(buckets: Array(0...65_535), limit: .all)

        try other.run("UPDATE todos SET created_at = '2021-01-01 00:00:00' WHERE extern_id = 'b'")
        #expect(try await store.delete(.externID("a")))
        #expect(store.spoiltCount == 1)
        #expect(try await store.todo(externID: "b")?.text == "text")
        await store.close()
        guard case .invalidRow(path, id: 5, _) = openFailure(path) else {
            Issue.record("\(String(describing: openFailure(path)))")
            return
        }
        try other.run("DELETE FROM todos WHERE extern_id = 'hand'")
        store = try open()
        #expect(store.spoiltCount == 0 && store.todoCount == store.summary.count - 1)
        await store.close()
    }

    @Test("Twenty thousand rows are taken over in order of their ids")
    func many() async throws {
        try OtherProgram(path).run(
            """
            INSERT INTO todos (id, extern_id, todo, created_at)
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            SELECT i * 3, 'key ' || i, 'text ' || i, datetime(1700000000 + i % 100, 'unixepoch') FROM n
            """)
        let store = try open()
        #expect(store.outsideChanges.takenOver == 20_000 && store.todoCount == 20_000)
        #expect(try await store.todo(id: 60_000)?.externID == "key 20000")
        await store.close()
    }
}
