import Foundation
import Replication
@testable import Store
import TestSupport
import Testing
import Transport

@Suite("Clocks of files, and files put right", .timeLimit(.minutes(1)))
struct RestampingTests {
    private static let now: Int64 = 1_767_323_045_678
    private static let cut = now - 24 * 3_600_000
    let directory: TemporaryDirectory
    let clock = TestClock(now)

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ name: String) throws -> Store { try Store.open(.test(directory.file(name), clock: clock)) }

    private func survey(_ name: String, laterThan milliseconds: Int64 = now + 2_000) throws -> StampSurvey {
        try StampSurvey.read(
            directory.file(name), laterThan: HybridTime(milliseconds: milliseconds, counter: .max))
    }

    @Test("Stamps keep their order, those up to the cut their time, and none is in the future", arguments: 1...20)
    func order(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let restamping = Restamping(after: Self.cut)
        let bound = HybridTime(milliseconds: Self.cut + Restamping.leastAgeMilliseconds)
        let start = HybridTime(milliseconds: Self.cut).rawValue
        var times = [0, start, start + 65_535, start + 65_536, .max, .max - 1, start + 1 << 49, start + 1 << 49 + 1]
        for _ in 0..<2_000 {
            let shift = UInt64.random(in: 0..<64, using: &random)
            times.append(UInt64.random(in: 0...UInt64.max, using: &random) >> shift)
            times.append(start &+ UInt64.random(in: 0...UInt64.max, using: &random) >> shift)
        }
        let moved = times.sorted().map { restamping.time(HybridTime(rawValue: $0)) }
        #expect(zip(moved, moved.dropFirst()).allSatisfy { $0 <= $1 })
        for time in times.map({ HybridTime(rawValue: $0) }) {
            let isUpToCut = time.milliseconds <= Self.cut
            #expect(
                isUpToCut
                    ? restamping.time(time) == time : (start...bound.rawValue).contains(restamping.time(time).rawValue))
        }
        // An hour ahead: two milliseconds stay two.
        let ahead = HybridTime(milliseconds: Self.now + 3_600_000)
        let later = HybridTime(milliseconds: Self.now + 3_600_001)
        #expect(restamping.time(ahead) < restamping.time(later))
        #expect(restamping.time(HybridTime(milliseconds: Self.cut)).milliseconds == Self.cut)
    }

    @Test("Valid rows stay valid, and merging before is merging after", arguments: 1...10)
    func rows(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let restamping = Restamping(after: Self.cut)
        func stamp(after least: HybridTime) -> Stamp {
            let milliseconds = Self.cut + Int64.random(in: -5...400_000_000_000, using: &random)
            let time = max(HybridTime(milliseconds: milliseconds), least)
            return Stamp(time: time, origin: NodeID(UInt64.random(in: 1...3, using: &random)))
        }
        func row() -> Row {
            let presence = stamp(after: .zero)
            let (text, completed) = (stamp(after: presence.time.successor), stamp(after: presence.time.successor))
            let isDeleted = Bool.random(using: &random)
            return Row(
                key: "k", presence: Register(isDeleted ? .deleted : .created(atMilliseconds: 5), presence),
                text: Register(ByteString("text \(text.time)"), text), completed: Register(true, completed))
        }
        for _ in 0..<300 {
            let (left, right) = (row(), row())
            #expect(restamping.row(left).isValid && restamping.row(right).isValid)
            let after = restamping.row(left).merged(with: restamping.row(right))
            #expect(restamping.row(left.merged(with: right)).presence == after.presence)
        }
    }

    @Test("Two poisoned files that were alike are alike after it, and what is written then wins")
    func poisoned() async throws {
        let (left, right) = (try open("left.db"), try open("right.db"))
        for key in ["old", "gone", "kept"] { _ = try await left.created(key) }
        clock.milliseconds += 75 * 365 * 86_400_000
        _ = try await left.created("poisoned")
        clock.milliseconds += 5_000
        _ = try await left.update(.externID("poisoned"), text: "later")
        _ = try await left.delete(.externID("gone"))
        clock.milliseconds = Self.now
        _ = try await left.update(.externID("kept"), text: "after")
        let before = try await allRows(of: left)
        _ = try await right.merge(before)
        #expect(left.summary == right.summary)
        #expect(throws: StoreError.inUse(path: directory.file("left.db"))) {
            _ = try Restamping(after: Self.cut).run(on: directory.file("left.db"))
        }
        await left.close()
        await right.close()
        #expect(try survey("left.db").clockBound.milliseconds > Self.now + 86_400_000)
        #expect(try survey("left.db").laterCount == 3)
        #expect(try survey("left.db", laterThan: Self.cut).laterCount == 4)

        clock.milliseconds = Self.now
        for name in ["left.db", "right.db"] {
            let outcome = try Restamping(after: Self.cut).run(on: directory.file(name))
            #expect(outcome.changedCount == 4 && outcome.copyPath == directory.file(name + ".before-restamp"))
            #expect(try survey(name).laterCount == 0)
            #expect(try survey(name + ".before-restamp").laterCount == 3)
            #expect(try survey(name).clockBound.milliseconds <= Self.now)
            #expect(throws: StoreError.self) { _ = try Restamping(after: Self.cut).run(on: directory.file(name)) }
        }
        let (first, second) = (try open("left.db"), try open("right.db"))
        #expect(first.summary == second.summary && first.outsideChanges == OutsideChanges())
        let rows = try await allRows(of: first)
        #expect(
            rows.map(\.text?.value) == before.map(\.text?.value) && rows.map(\.isDeleted) == before.map(\.isDeleted))
        #expect(rows.allSatisfy { $0.isValid && $0.latestStamp.time.milliseconds <= Self.now })
        #expect(try await first.update(.externID("poisoned"), text: "new") != nil)
        _ = try await second.merge(try await allRows(of: first))
        #expect(try await second.todo(externID: "poisoned")?.text == "new")
        #expect(try await allRows(of: second).allSatisfy { $0.latestStamp.time.milliseconds <= Self.now })
        await first.close()
        await second.close()
    }

    @Test("A survey changes nothing: not a file left by a crash, not that of another program")
    func survey() async throws {
        let store = try open("todos.db")
        _ = try await store.created("k")
        let expected = store.nodeID
        try directory.copyDatabase(to: "crashed.db")
        await store.close()
        let before = try directory.contents()
        let survey = try survey("crashed.db")
        #expect(survey.nodeID == expected && survey.rowCount == 1 && survey.laterCount == 0)
        #expect(survey.groups.map(\.kind) == [.presence, .text, .completed])
        #expect(survey.groups.allSatisfy { $0.origin == expected && $0.count == 1 })
        var after = try directory.contents()
        after.removeValue(forKey: "crashed.db-shm")
        #expect(after == before)
        try OtherProgram(directory.file("seed.db")).run(seedSchema)
        let seed = try directory.contents()
        #expect(throws: StoreError.self) { try self.survey("seed.db") }
        #expect(throws: StoreError.self) { try self.survey("none.db") }
        #expect(throws: StoreError.self) { _ = try Restamping(after: Self.cut).run(on: directory.file("seed.db")) }
        #expect(try directory.contents() == seed)
    }

    @Test("An edit and damage that no start has seen yet are seen after a restamping too")
    func outsideChanges() async throws {
        var store = try open("todos.db")
        for key in ["edited", "damaged", "plain"] { _ = try await store.created(key) }
        await store.close()
        let other = try OtherProgram(directory.file())
        try other.run("UPDATE todos SET todo = 'new' WHERE extern_id = 'edited'")
        try other.run("UPDATE stamps SET completed_time = 5, completed_origin = 5 WHERE id = 2")
        #expect(try Restamping(after: Self.cut).run(on: directory.file()).changedCount == 3)
        store = try open("todos.db")
        #expect(store.outsideChanges == OutsideChanges(edited: 1, damaged: 1))
        #expect(try await store.todo(externID: "edited")?.text == "new")
        await store.close()
    }
}
