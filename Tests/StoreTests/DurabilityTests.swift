import Foundation
import Replication
import Store
import Testing
import Transport

@Suite("Durability", .timeLimit(.minutes(1)))
struct DurabilityTests {
    let directory: TemporaryDirectory
    let clock = TestClock()
    var path: String { directory.file() }

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ name: String = "todos.db") throws -> Store {
        try Store.open(.test(directory.file(name), clock: clock))
    }

    @Test("After a crash everything acknowledged is there, with the same tree")
    func crash() async throws {
        let store = try open()
        for round in 0..<5 {
            for number in 0..<40 { _ = try await store.created("\(round) \(number)") }
            _ = try await store.delete(.externID("\(round) 3"))
            _ = try await store.update(.externID("\(round) 4"), text: "new", isCompleted: true)
            try directory.copyDatabase(to: "crash \(round).db")
            let rows = try await allRows(of: store)
            let recovered = try open("crash \(round).db")
            #expect(recovered.summary == store.summary && recovered.todoCount == store.todoCount)
            #expect(recovered.nodeID == store.nodeID)
            #expect(try await allRows(of: recovered) == rows)
            await recovered.close()
        }
        await store.close()
    }

    @Test("Stamps go on growing across crashes and clean restarts, while the wall clock jumps a day both ways")
    func clockNeverGoesBack() async throws {
        let start = clock.milliseconds
        var last = HybridTime.zero
        var name = "0.db"
        for (round, jump) in [0, -86_400_000, 86_400_000, 0, -172_800_000, 1].enumerated() {
            clock.milliseconds = start + Int64(jump)
            let store = try open(name)
            for key in ["a", "b"] {
                _ = try await store.create(externID: key, text: "x")
                _ = try await store.update(.externID(key), text: "y")
                _ = try await store.delete(.externID(key))
            }
            let times = store.committed.takeNow().map(\.row.latestStamp.time)
            #expect(times.count == 6)
            for time in times {
                #expect(time > last, "round \(round)")
                last = time
            }
            if round % 2 == 0 {
                try directory.copyDatabase(name, to: "\(round + 1).db")
                name = "\(round + 1).db"
            }
            await store.close()
        }
    }

    @Test("The bound on disk covers every stamp given out; a clean restart does not run ahead of the wall clock")
    func clockBound() async throws {
        let store = try open()
        _ = try await store.created("a")
        let other = try OtherProgram(path)
        let bound = try #require(Int64(try other.rows("SELECT clock_bound FROM node")[0]))
        #expect(bound >> 16 == clock.milliseconds + HybridClock.reservationMilliseconds)
        await store.close()
        for round in 0..<10 {
            clock.milliseconds += 10
            let store = try open()
            _ = try await store.created("round \(round)")
            #expect(store.committed.takeNow()[0].row.latestStamp.time == HybridTime(milliseconds: clock.milliseconds))
            await store.close()
        }
    }

    @Test(
        "A stamp that was given at the start, to what another program wrote, is not passed by an earlier one after a crash"
    )
    func clockBoundAtStart() async throws {
        await (try open()).close()
        try OtherProgram(path).run(
            "INSERT INTO todos (extern_id, todo, created_at) VALUES ('a', 'x', '2999-01-01 00:00:00')")
        let store = try open()
        let stamp = try #require(try await allRows(of: store).first).latestStamp
        try directory.copyDatabase(to: "crash.db")
        await store.close()
        clock.milliseconds -= 3_600_000
        let recovered = try open("crash.db")
        _ = try await recovered.created("b")
        #expect(recovered.committed.takeNow()[0].row.latestStamp > stamp)
        await recovered.close()
    }

    @Test("On a full disk writes fail, reads go on, the tree stays right, and with room it goes on")
    func diskFull() async throws {
        let store = try open()
        let todo = try await store.created("a")
        try await store.limitPages(1)
        let text = String(repeating: "x", count: 10_000)
        var failures = 0
        for number in 0..<20 {
            let error = await failure { _ = try await store.create(externID: "key \(number)", text: text) }
            if let error {
                #expect(error == .diskFull(path: path))
                failures += 1
            }
        }
        #expect(failures >= 18)
        let rows = (0..<50).map { number in
            Row.created(
                key: ByteString("bulk \(number)"), text: ByteString(text), atMilliseconds: 0,
                stamp: Stamp(time: HybridTime(milliseconds: 5), origin: NodeID(1)))
        }
        #expect(await failure { _ = try await store.merge(rows) } == .diskFull(path: path))
        #expect(try await store.todo(id: todo.id) == todo)
        #expect(store.summary.count == UInt64(21 - failures))
        #expect(store.committed.takeNow().count == 21 - failures)
        try await store.limitPages(1_000_000)
        #expect(try await store.merge(rows).isNews.allSatisfy { $0 })
        _ = try await store.created("after")
        let summary = store.summary
        try directory.copyDatabase(to: "copy.db")
        await store.close()
        let recovered = try open("copy.db")
        #expect(recovered.summary == summary)
        await recovered.close()
    }

    @Test("A bound whose transaction was rolled back is stored by the next one")
    func boundAfterRollback() async throws {
        let store = try open()
        _ = try await store.created("a")
        try await store.limitPages(1)
        clock.milliseconds += 3_600_000
        #expect(
            await failure { _ = try await store.create(externID: "b", text: String(repeating: "x", count: 100_000)) }
                == .diskFull(path: path))
        clock.milliseconds -= 3_600_000
        _ = try await store.update(.id(1), text: "b")
        let time = try #require(store.committed.takeNow().last?.row.latestStamp.time)
        #expect(time.milliseconds >= clock.milliseconds + 3_600_000)
        let bound = try #require(Int64(try OtherProgram(path).rows("SELECT clock_bound FROM node")[0]))
        #expect(UInt64(bitPattern: bound) >= time.rawValue)
        await store.close()
    }

    @Test("While another program holds the write lock writes wait, and reads do not")
    func busy() async throws {
        let store = try open()
        let todo = try await store.created("a")
        let other = try OtherProgram(path)
        try other.run("BEGIN IMMEDIATE")
        async let create = store.created("b")
        #expect(try await store.todo(id: todo.id) == todo)
        #expect(try await store.page(limit: 10).count == 1)
        try other.run("COMMIT")
        #expect(try await create.id == 2)
        await store.close()
    }

    @Test(
        "When the log is removed under the store, writes fail, and what was acknowledged is kept",
        arguments: ["-wal", "-shm"])
    func logRemoved(suffix: String) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file()
        let store = try Store.open(.test(path))
        _ = try await store.created("a")
        try FileManager.default.removeItem(atPath: path + suffix)
        let error = await failure { _ = try await store.create(externID: "b", text: "x") }
        guard case .ioError(path, let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains(path + suffix))
        #expect(try await store.todo(externID: "a") != nil)
        // As after a kill: the log is gone.
        try FileManager.default.copyItem(atPath: path, toPath: directory.file("left.db"))
        let left = try Store.open(.test(directory.file("left.db")))
        #expect(try await left.todo(externID: "a") != nil)
        await left.close()
        await store.close()
    }

    @Test("When the file is removed under the store, writes fail instead of going nowhere")
    func removed() async throws {
        let store = try open()
        _ = try await store.created("a")
        try FileManager.default.removeItem(atPath: path)
        let error = await failure { _ = try await store.created("b") }
        #expect(error == .ioError(path: path, reason: "the file was removed or renamed"))
        await store.close()
    }

    @Test("A store that is dropped without being closed has lost nothing")
    func dropped() async throws {
        do {
            let store = try open()
            for number in 0..<100 { _ = try await store.created("key \(number)") }
        }
        var reopened: Store?
        for _ in 0..<500 where reopened == nil {
            reopened = try? open()
            if reopened == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        let store = try #require(reopened)
        #expect(store.todoCount == 100)
        await store.close()
    }
}
