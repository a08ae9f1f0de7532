import Replication
import Store
import TestSupport
import Testing
import Transport

@Suite("Random histories", .timeLimit(.minutes(2)))
struct RandomHistoryTests {
    @Test("Any history of writes and merges leaves the same rows, tree and outcomes as the oracle", arguments: 1...6)
    func sameAsOracle(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let clock = TestClock()
        let sqlite = try TestedSQLite(clock)
        let memory = TestedMemory(clock, nodeID: sqlite.nodeID)
        for step in 0..<1_500 {
            clock.milliseconds += Int64.random(in: -3...4, using: &random)
            let key = ByteString("key \(Int.random(in: 0..<30, using: &random))")
            let text = ByteString("text \(step)")
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1:
                let outcome = try await sqlite.create(key, text)
                #expect(outcome == memory.create(key, text))
            case 2, 3:
                let newText = Bool.random(using: &random) ? text : nil
                let completed = Bool.random(using: &random) ? Bool.random(using: &random) : nil
                let outcome = try await sqlite.update(key, text: newText, isCompleted: completed)
                #expect(outcome == memory.update(key, text: newText, isCompleted: completed))
            case 4:
                let outcome = try await sqlite.delete(key)
                #expect(outcome == memory.delete(key))
            default:
                let rows = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    Self.row(near: clock.milliseconds, ours: sqlite.nodeID, &random)
                }
                let outcome = try await sqlite.replica.merge(rows.encoded)
                #expect(try await memory.replica.merge(rows.encoded) == outcome)
            }
            try #require(sqlite.summary == memory.summary, "step \(step)")
            try #require(sqlite.todoCount == memory.todoCount, "step \(step)")
        }
        let rows = try await allRows(of: sqlite.replica)
        #expect(try await allRows(of: memory.replica, maxBytes: 500) == rows)
        #expect(rows.allSatisfy { $0.isValid })
        #expect(rows.contains { $0.isDeleted } && rows.contains { $0.isDeleted && $0.text != nil })
        #expect(sqlite.takeCommitted() == memory.takeCommitted())

        let summary = sqlite.summary
        await sqlite.store.close()
        let reopened = try Store.open(.test(sqlite.directory.file(), clock: clock))
        #expect(reopened.summary == summary)
        #expect(reopened.todoCount == memory.todoCount)
        #expect(reopened.outsideChanges.takenOver == 0)
        #expect(try OtherProgram(sqlite.directory.file()).rows("PRAGMA integrity_check") == ["ok"])
        await reopened.close()
    }

    /// A valid row with stamps within some milliseconds of `now`.
    private static func row(near now: Int64, ours: NodeID, _ random: inout SeededGenerator) -> Row {
        func stamp(after earliest: HybridTime?) -> Stamp {
            let milliseconds = now + Int64.random(in: -40...24, using: &random)
            let time = HybridTime(milliseconds: milliseconds, counter: UInt16.random(in: 0...1, using: &random))
            let origin = [NodeID(1), NodeID(2), ours][Int.random(in: 0..<3, using: &random)]
            let least = earliest.map { HybridTime(rawValue: $0.rawValue + 1) } ?? .zero
            return Stamp(time: max(time, least), origin: origin)
        }
        let key = ByteString("key \(Int.random(in: 0..<30, using: &random))")
        let presence = stamp(after: nil)
        let isDeleted = Int.random(in: 0..<3, using: &random) == 0
        let text = Register(ByteString("from \(UInt8.random(in: 0...3, using: &random))"), stamp(after: presence.time))
        let completed = Register(Bool.random(using: &random), stamp(after: presence.time))
        if isDeleted {
            return Row(
                key: key, presence: Register(.deleted, presence), text: Bool.random(using: &random) ? text : nil,
                completed: Bool.random(using: &random) ? completed : nil)
        }
        let isWhole = Bool.random(using: &random)
        return Row(
            key: key, presence: Register(.created(atMilliseconds: now), presence),
            text: isWhole ? Register(text.value, presence) : text,
            completed: isWhole ? Register(completed.value, presence) : completed)
    }
}
