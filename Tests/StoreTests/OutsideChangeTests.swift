import CSQLite
import Foundation
import Replication
@testable import Store
import Testing
import Transport

@Suite("What another program and the disk do to rows", .timeLimit(.minutes(1)))
struct OutsideChangeTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    var path: String { directory.file() }

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ name: String = "todos.db") throws -> Store {
        try Store.open(.test(directory.file(name), clock: clock))
    }

    /// Both get all rows of each other.
    private func exchange(_ left: any ReplicaStore, _ right: any ReplicaStore) async throws {
        let (ofLeft, ofRight) = (try await allRows(of: left), try await allRows(of: right))
        _ = try await left.merge(ofRight.map { EncodedRow($0) })
        _ = try await right.merge(ofLeft.map { EncodedRow($0) })
    }

    private func text(_ key: String, _ store: Store) async throws -> String? {
        try await store.todo(externID: key)?.text
    }

    @Test("An edit wins everywhere, be its bytes lesser or greater", arguments: ["a", "z"], [false, true])
    func edit(text edited: String, isRunning: Bool) async throws {
        var store = try open()
        let peer = try open("peer.db")
        for key in ["k", "done"] { _ = try await store.created(key, "m") }
        _ = try await store.update(.externID("done"), isCompleted: true)
        try await exchange(store, peer)
        #expect(store.summary == peer.summary)
        let before = try await allRows(of: store)
        if !isRunning { await store.close() }
        try OtherProgram(path).run(
            """
            UPDATE todos SET todo = '\(edited)' WHERE extern_id = 'k';
            UPDATE todos SET completed = 0 WHERE extern_id = 'done';
            """)
        clock.milliseconds += 10
        if isRunning {
            // Under the old stamps nobody gets it.
            #expect(try await allRows(of: store).isEmpty)
        } else {
            store = try open()
        }
        try await exchange(store, peer)
        try await exchange(store, peer)
        #expect(store.outsideChanges == OutsideChanges(edited: 2))
        for each in [store, peer] {
            #expect(try await text("k", each) == edited)
            #expect(try await each.todo(externID: "done")?.isCompleted == false)
        }
        let rows = try await allRows(of: peer)
        #expect(store.summary == peer.summary)
        #expect(try await allRows(of: store) == rows)
        // The other registers were not written.
        #expect(rows.map(\.presence) == before.map(\.presence) && rows[0].text == before[0].text)
        #expect(rows[1].completed == before[1].completed)
        await store.close()
        await peer.close()
    }

    @Test(
        "An edit that no todo can hold stays out of the way: other writes and merges go on, its own row is passed over",
        arguments: ["completed = 2", "todo = x'41'", "todo = cast(x'ff' AS TEXT)"])
    func impossibleEdit(assignment: String) async throws {
        let store = try open()
        let peer = try open("peer.db")
        _ = try await store.created("k", "m")
        try await exchange(store, peer)
        clock.milliseconds += 10
        _ = try await peer.update(.externID("k"), text: "later")
        _ = try await peer.created("new", "x")
        try OtherProgram(path).run("UPDATE todos SET \(assignment) WHERE extern_id = 'k'")
        _ = try await store.created("own", "x")
        let rows = try await allRows(of: peer)
        let outcome = try await store.merge(rows.map { EncodedRow($0) })
        #expect(outcome.isNews == rows.map { $0.key == ByteString("new") })
        #expect(outcome.passedOverCount == 1)
        #expect(store.spoiltCount == 1)
        #expect(try await text("new", store) == "x")
        #expect(try await text("own", store) == "x")
        await store.close()
        await peer.close()
    }

    @Test("What is changed and changed back is no write, nor is an insert that was ignored")
    func changedBack() async throws {
        let store = try open()
        _ = try await store.created("k", "m")
        let summary = store.summary
        let other = try OtherProgram(path)
        try other.run(
            """
            UPDATE todos SET todo = 'x'; UPDATE todos SET todo = 'm'; UPDATE todos SET id = 7;
            INSERT OR IGNORE INTO todos (extern_id, todo) VALUES ('k', 'y');
            """)
        _ = try await store.merge([Row]())
        _ = try await store.delete(.externID("nobody"))
        #expect(store.summary == summary && store.outsideChanges == OutsideChanges())
        #expect(try await store.todo(id: 7)?.text == "m")
        #expect(try other.rows("SELECT id, edits FROM stamps") == ["7|0"])
        await store.close()
    }

    @Test(
        "A byte that flips in the file comes back from a peer, and goes nowhere, be it lesser or greater",
        arguments: [UInt8(ascii: "a"), UInt8(ascii: "z"), 0xff])
    func damage(byte: UInt8) async throws {
        var store = try open()
        let peer = try open("peer.db")
        _ = try await store.created("k", "the text as it was")
        _ = try await store.created("other")
        try await exchange(store, peer)
        let rows = try await allRows(of: peer)
        await store.close()
        try flip("the text as it was", to: byte)

        store = try open()
        #expect(store.outsideChanges == OutsideChanges(damaged: 1))
        // Shown, since a node that is alone has no other.
        #expect(store.todoCount == 2)
        #expect(try await text("k", store) != "the text as it was")
        #expect(store.summary != peer.summary)
        let outcome = try await peer.merge(try await allRows(of: store))
        #expect(outcome.isNews == [false, false])
        _ = try await store.merge(rows)
        #expect(store.summary == peer.summary)
        #expect(try await allRows(of: store) == rows)
        #expect(try await text("k", store) == "the text as it was")
        await store.close()
        store = try open()
        #expect(store.outsideChanges == OutsideChanges() && store.summary == peer.summary)
        await store.close()
        await peer.close()
    }

    @Test(
        "Damage while the node runs is met by a merge or a write, and no walk carries it away",
        arguments: [false, true])
    func damageWhileRunning(isMerge: Bool) async throws {
        let store = try open()
        _ = try await store.created("k", "the text as it was")
        let rows = try await allRows(of: store)
        try OtherProgram(path).run("PRAGMA wal_checkpoint(TRUNCATE)")
        try await store.write { (core) throws(StoreError) in
            try core.connection.execute("PRAGMA shrink_memory")
        }
        try flip("the text as it was", to: UInt8(ascii: "z"))
        #expect(try Reader(path: path).page(after: nil, maxBytes: 1_000).rows.isEmpty)
        if isMerge {
            _ = try await store.merge(rows)
            #expect(try await allRows(of: store) == rows)
        } else {
            _ = try await store.update(.externID("k"), isCompleted: true)
            let row = try #require(try await allRows(of: store).first)
            // The tick is a write of this node; the text loses to every other copy.
            #expect(row.text?.stamp == .least && row.completed?.stamp.origin == store.nodeID)
            _ = try await store.merge(rows)
            #expect(try await text("k", store) == "the text as it was")
            #expect(try await store.todo(externID: "k")?.isCompleted == true)
        }
        #expect(store.outsideChanges == OutsideChanges(damaged: 1))
        let summary = store.summary
        await store.close()
        let reopened = try open()
        #expect(reopened.summary == summary && reopened.outsideChanges == OutsideChanges())
        await reopened.close()
    }

    @Test(
        "A key that damage has changed is told from the one in its index: the file is refused",
        arguments: [false, true])
    func damagedKey(isDeleted: Bool) async throws {
        let store = try open()
        _ = try await store.created("the key as it was", "x")
        if isDeleted { _ = try await store.delete(.externID("the key as it was")) }
        await store.close()
        let whole = try #require(FileManager.default.contents(atPath: path))
        var refusals = 0
        var rest = whole.startIndex..<whole.endIndex
        while let range = whole.range(of: Data("the key as it was".utf8), in: rest) {
            rest = range.upperBound..<whole.endIndex
            var bytes = whole
            bytes[range.lowerBound] = UInt8(ascii: "T")
            try bytes.write(to: URL(fileURLWithPath: path))
            do {
                try await open().close()
            } catch StoreError.corrupt {
                refusals += 1
            }
        }
        #expect(refusals > 0)
    }

    @Test("A damaged stamp loses too, and a damaged tombstone comes back from a peer")
    func damagedStamps() async throws {
        var store = try open()
        let peer = try open("peer.db")
        for key in ["k", "gone"] { _ = try await store.created(key) }
        _ = try await store.delete(.externID("gone"))
        try await exchange(store, peer)
        await store.close()
        // Nothing notes what is written to these tables.
        try OtherProgram(path).run(
            "UPDATE stamps SET presence_time = presence_time + (1 << 50); UPDATE tombstones SET presence_time = 5")
        store = try open()
        #expect(store.outsideChanges == OutsideChanges(damaged: 2))
        try await exchange(store, peer)
        #expect(store.summary == peer.summary && store.todoCount == 1)
        await store.close()
        await peer.close()
    }

    @Test("A row that damage has made none of a todo does not keep the node from starting")
    func damagedDate() async throws {
        var store = try open()
        _ = try await store.created("k")
        let rows = try await allRows(of: store)
        await store.close()
        let other = try OtherProgram(path)
        try other.run("PRAGMA recursive_triggers = OFF; DROP TRIGGER todos_updated")
        try other.run("UPDATE todos SET created_at = 'never'")
        store = try open()
        #expect(store.outsideChanges == OutsideChanges(damaged: 1))
        #expect(try await store.todo(externID: "k")?.createdAtMilliseconds == clock.milliseconds)
        _ = try await store.merge(rows)
        #expect(try await allRows(of: store) == rows)
        await store.close()
    }

    @Test("A todo that another program removes is deleted on all nodes", arguments: [false, true])
    func removed(isRunning: Bool) async throws {
        var store = try open()
        let peer = try open("peer.db")
        for key in ["a", "b"] { _ = try await store.created(key) }
        try await exchange(store, peer)
        if !isRunning { await store.close() }
        try OtherProgram(path).run("DELETE FROM todos")
        if !isRunning { store = try open() }
        _ = try await store.created("new")
        #expect(store.outsideChanges == OutsideChanges(removed: 2) && store.todoCount == 1)
        try await exchange(store, peer)
        #expect(peer.todoCount == 1 && peer.summary == store.summary && store.summary.count == 3)
        await store.close()
        await peer.close()
    }

    @Test(
        "A row that another program replaces is written anew, however old it claims to be",
        arguments: [
            "REPLACE INTO todos (extern_id, todo, created_at) VALUES ('k', 'new', '2020-01-01 00:00:00')",
            "REPLACE INTO todos (id, extern_id, todo, created_at) VALUES (1, 'k', 'new', '2020-01-01 00:00:00')",
            "DELETE FROM todos; INSERT INTO todos (extern_id, todo, created_at) VALUES ('k', 'new', '2020-01-01 00:00:00')",
            """
            INSERT INTO todos (extern_id, todo, created_at) VALUES ('k', 'new', '2020-01-01 00:00:00')
            ON CONFLICT (extern_id) DO UPDATE SET todo = excluded.todo, created_at = excluded.created_at
            """,
        ])
    func replaced(sql: String) async throws {
        let store = try open()
        let peer = try open("peer.db")
        _ = try await store.created("k")
        try await exchange(store, peer)
        try OtherProgram(path).run(sql)
        _ = try await store.delete(.externID("nobody"))
        try await exchange(store, peer)
        #expect(try await text("k", peer) == "new")
        #expect(peer.summary == store.summary && peer.summary.count == 1)
        await store.close()
        await peer.close()
    }

    @Test(
        "A row that another program renames, onto a deleted key too, is deleted and created", arguments: [false, true])
    func renamed(isRunning: Bool) async throws {
        var store = try open()
        let peer = try open("peer.db")
        for key in ["x", "y"] { _ = try await store.created(key) }
        _ = try await store.delete(.externID("y"))
        try await exchange(store, peer)
        if !isRunning { await store.close() }
        try OtherProgram(path).run("UPDATE todos SET extern_id = 'y' WHERE extern_id = 'x'")
        if !isRunning { store = try open() }
        _ = try await store.delete(.externID("nobody"))
        #expect(store.outsideChanges == OutsideChanges(takenOver: 1, removed: 1))
        #expect(store.todoCount == 1 && store.summary.count == 2)
        try await exchange(store, peer)
        #expect(peer.summary == store.summary)
        #expect(try await text("y", peer) == "text")
        #expect(try await text("x", peer) == nil)
        #expect(try await store.delete(.externID("y")))
        let summary = store.summary
        await store.close()
        store = try open()
        #expect(store.summary == summary && store.todoCount == 0 && summary.count == 2)
        await store.close()
        await peer.close()
    }

    @Test("A file of version 1 gets checksums of what it holds, and its tree stays")
    func migration() async throws {
        var store = try open()
        for key in ["a", "b", "c"] { _ = try await store.created(key) }
        _ = try await store.delete(.externID("c"))
        let (summary, rows) = (store.summary, try await allRows(of: store))
        await store.close()
        try OtherProgram(path).run(toVersionOne)
        store = try open()
        #expect(store.summary == summary && store.outsideChanges == OutsideChanges())
        #expect(try await allRows(of: store) == rows)
        await store.close()
        let other = try OtherProgram(path)
        #expect(try other.rows("PRAGMA user_version") == ["2"])
        #expect(try other.rows("SELECT count(checksum) FROM stamps") == ["2"])
        #expect(try other.rows("SELECT count(checksum) FROM tombstones") == ["1"])
        try other.run("UPDATE todos SET todo = 'edited' WHERE extern_id = 'a'")
        store = try open()
        #expect(store.outsideChanges == OutsideChanges(edited: 1))
        await store.close()
    }

    @Test("The checksum is of these bytes for ever: other ones need a migration")
    func golden() throws {
        let row = Row.created(
            key: "key", text: "text", completed: true, atMilliseconds: 1_767_323_045_678,
            stamp: Stamp(time: HybridTime(milliseconds: 1_767_323_045_678, counter: 3), origin: NodeID(0x0123_4567)))
        #expect(RowChecksum.of(EncodedRow(row)) == 6_610_397_333_281_913_253)
        let deleted = row.deleted(at: Stamp(time: HybridTime(rawValue: .max >> 1), origin: NodeID(1)))
        #expect(RowChecksum.of(EncodedRow(deleted)) == 1_075_014_608_357_519_310)
    }

    @Test("Whatever two programs and two nodes do, the nodes end alike, and their files say so", arguments: 1...6)
    func random(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var stores = [try open("0.db"), try open("1.db")]
        for step in 0..<150 {
            clock.milliseconds += Int64.random(in: 0...3, using: &random)
            let index = Int.random(in: 0...1, using: &random)
            let key = "k\(Int.random(in: 0..<6, using: &random))"
            let (store, address) = (stores[index], TodoAddress.externID(key))
            func foreign(_ sql: String) throws { try OtherProgram(directory.file("\(index).db")).run(sql) }
            switch Int.random(in: 0..<12, using: &random) {
            case 0, 1: _ = try await store.create(externID: key, text: "text \(step)")
            case 2: _ = try await store.update(address, text: "text \(step)")
            case 3: _ = try await store.delete(address)
            case 4: try foreign("UPDATE todos SET todo = 'foreign \(step)' WHERE extern_id = '\(key)'")
            case 5: try foreign("UPDATE todos SET completed = 1 - completed WHERE extern_id = '\(key)'")
            case 6: try foreign("DELETE FROM todos WHERE extern_id = '\(key)'")
            case 7: try foreign("REPLACE INTO todos (extern_id, todo) VALUES ('\(key)', 'replaced \(step)')")
            case 8: try foreign("UPDATE OR REPLACE todos SET extern_id = '\(key)' WHERE id % 3 = 0")
            case 9:
                try foreign(
                    "UPDATE stamps SET presence_time = presence_time - 1 WHERE id = (SELECT max(id) FROM stamps)")
            case 10:
                await store.close()
                stores[index] = try open("\(index).db")
            default: try await exchange(stores[0], stores[1])
            }
        }
        for _ in 0..<3 {
            for store in stores { _ = try await store.delete(.externID("nobody")) }
            try await exchange(stores[0], stores[1])
        }
        #expect(stores[0].summary == stores[1].summary)
        let rows = try await allRows(of: stores[0])
        #expect(try await allRows(of: stores[1]) == rows)
        for index in 0...1 {
            let summary = stores[index].summary
            #expect(stores[index].todoCount == (try await stores[index].page(limit: 100)).count)
            await stores[index].close()
            let reopened = try open("\(index).db")
            #expect(reopened.summary == summary && reopened.outsideChanges == OutsideChanges())
            await reopened.close()
        }
    }

    // MARK: Helpers

    /// Overwrites the last byte of the text, in the file.
    private func flip(_ text: String, to byte: UInt8) throws {
        var bytes = try #require(FileManager.default.contents(atPath: path))
        let range = try #require(bytes.range(of: Data(text.utf8)))
        bytes[range.upperBound - 1] = byte
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.write(contentsOf: bytes)
        try file.close()
    }
}
