import Foundation
import Membership
import Replication
@testable import Store
import Testing
import Transport

@Suite("Damage to an index alone", .timeLimit(.minutes(1)))
struct IndexDamageTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    var path: String { directory.file() }

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ name: String = "todos.db") throws -> Store {
        try Store.open(.test(directory.file(name), clock: clock))
    }

    /// Without the index `name` of `todos` while `body` runs, so that it does not hear of what is written.
    private func hiding(_ name: String, _ body: () async throws -> Void) async throws {
        let root = try OtherProgram(path).rows("SELECT rootpage, sql FROM sqlite_schema WHERE name = '\(name)'")[0]
        let parts = root.split(separator: "|", maxSplits: 1)
        try OtherProgram(path).run("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = '\(name)'")
        try await body()
        try OtherProgram(path).run(
            """
            PRAGMA writable_schema = ON;
            INSERT INTO sqlite_schema VALUES ('index', '\(name)', 'todos', \(parts[0]), '\(parts[1])')
            """)
    }

    private func expectWhole(_ name: String = "todos.db", sourceLocation: SourceLocation = #_sourceLocation) throws {
        let report = try OtherProgram(directory.file(name)).rows("PRAGMA integrity_check")
        #expect(report == ["ok"], sourceLocation: sourceLocation)
    }

    /// Another program commits something that is none of ours, so that the next write here reads everything anew.
    private func disturb() throws {
        try OtherProgram(path).run("DELETE FROM members WHERE name = 'nobody'; PRAGMA user_version = 2")
    }

    @Test(
        "After an unclean end an entry that has changed is mended from the rows, counted, and was no row's damage",
        arguments: [false, true])
    func changedEntry(isDeleted: Bool) async throws {
        let key = "the key as it was"
        let store = try open()
        for key in ["before", key, "then"] { _ = try await store.created(key) }
        if isDeleted { _ = try await store.delete(.externID(key)) }
        let (summary, rows) = (store.summary, try await allRows(of: store))
        try OtherProgram(path).run("PRAGMA wal_checkpoint(TRUNCATE)")
        let address = try #require(PeerAddress("127.0.0.1:1"))
        try await store.saveKnownMembers([KnownMember(name: "peer", nodeID: nil, address: address)])
        try directory.copyDatabase(to: "crash.db")
        await store.close()
        let crash = directory.file("crash.db")
        let whole = try #require(FileManager.default.contents(atPath: crash))
        let log = try #require(FileManager.default.contents(atPath: crash + "-wal"))
        var (mended, refused) = (0, 0)
        var rest = whole.startIndex..<whole.endIndex
        while let range = whole.range(of: Data(key.utf8), in: rest) {
            rest = range.upperBound..<whole.endIndex
            var bytes = whole
            bytes[range.lowerBound] = UInt8(ascii: "u")
            try bytes.write(to: URL(fileURLWithPath: crash))
            try log.write(to: URL(fileURLWithPath: crash + "-wal"))
            do {
                let recovered = try open("crash.db")
                // What SQLite has left of a row that was deleted is no damage.
                mended += recovered.outsideChanges.damagedIndexes
                #expect(recovered.outsideChanges.damaged == 0)
                #expect(recovered.summary == summary)
                #expect(try await recovered.todo(externID: key) == nil || !isDeleted)
                #expect(try await allRows(of: recovered) == rows)
                await recovered.close()
                try expectWhole("crash.db")
            } catch StoreError.corrupt {
                refused += 1
            }
        }
        // The one in the index, and the one in the table.
        #expect(mended == 1 && refused == 1)
    }

    @Test("An entry that is missing is made when everything is read anew: the todo is found again")
    func missingEntry() async throws {
        await (try open()).close()
        try await hiding("idx_todos_extern_id") {
            let store = try open()
            _ = try await store.created("k")
            await store.close()
        }
        let store = try open()
        #expect(try await store.todo(externID: "k") == nil)
        try disturb()
        _ = try await store.delete(.externID("nobody"))
        #expect(store.outsideChanges == OutsideChanges(damagedIndexes: 1))
        #expect(try await store.todo(externID: "k") != nil)
        let summary = store.summary
        await store.close()
        try expectWhole()
        let reopened = try open()
        #expect(reopened.summary == summary && reopened.outsideChanges == OutsideChanges())
        await reopened.close()
    }

    @Test("A key that was written anew for want of its entry is one row again, as merged", arguments: [false, true])
    func secondRow(isDeleted: Bool) async throws {
        let peer = try open("peer.db")
        await (try open()).close()
        try await hiding("idx_todos_extern_id") {
            let store = try open()
            for key in ["k", "l"] { _ = try await store.created(key) }
            _ = try await store.update(.externID("k"), isCompleted: true)
            _ = try await peer.merge(try await allRows(of: store))
            await store.close()
        }
        clock.milliseconds += 10
        if isDeleted {
            _ = try await peer.delete(.externID("k"))
        } else {
            _ = try await peer.update(.externID("k"), text: "later")
        }
        let expected = try await allRows(of: peer)
        let store = try open()
        _ = try await store.merge(expected)
        #expect(store.summary != peer.summary)
        try disturb()
        _ = try await store.delete(.externID("nobody"))
        #expect(store.outsideChanges.damagedIndexes == 1)
        #expect(store.summary == peer.summary)
        #expect(try await allRows(of: store) == expected)
        #expect(try await store.todo(externID: "k")?.text == (isDeleted ? nil : "later"))
        await store.close()
        try expectWhole()
        let reopened = try open()
        #expect(reopened.summary == peer.summary && reopened.outsideChanges == OutsideChanges())
        await reopened.close()
        await peer.close()
    }

    @Test("A write that meets a wrong entry has it mended, and is done", arguments: ["created_at", "completed"])
    func metInPassing(column: String) async throws {
        var store = try open()
        for key in ["k", "l"] { _ = try await store.created(key) }
        await store.close()
        try await hiding("idx_todos_\(column)") {
            store = try open()
            _ = try await store.update(.externID("k"), isCompleted: true)
            _ = try await store.created("m")
            await store.close()
        }
        store = try open()
        _ = try await store.update(.externID("k"), isCompleted: false)
        #expect(try await store.delete(.externID("m")))
        #expect(store.outsideChanges == OutsideChanges(damagedIndexes: 1))
        #expect(try await store.page(limit: 10).count == 2)
        await store.close()
        try expectWhole()
    }

    @Test("A flipped bit in a value that an index has too is a row's damage, and no reason to refuse the file")
    func valueAndIndex() async throws {
        var store = try open()
        for key in ["k", "l"] { _ = try await store.created(key) }
        await store.close()
        try await hiding("idx_todos_completed") {
            let other = try OtherProgram(path)
            try other.run("DROP TRIGGER todos_updated; UPDATE todos SET completed = 1 WHERE extern_id = 'k'")
        }
        store = try open()
        #expect(store.outsideChanges == OutsideChanges(damaged: 1))
        #expect(store.todoCount == 2)
        await store.close()
        try expectWhole()
    }
}
