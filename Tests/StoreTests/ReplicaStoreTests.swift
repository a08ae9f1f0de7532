import Simulation
import Replication
import Store
import TestSupport
import Testing
import Transport

/// A store under test: the replica, and local writes.
protocol TestedStore: Sendable {
    var replica: any ReplicaStore { get }
    var nodeID: NodeID { get }
    var summary: TreeSummary { get }
    var todoCount: Int { get }
    func create(_ key: ByteString, _ text: ByteString) async throws -> Bool
    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) async throws -> Bool
    func delete(_ key: ByteString) async throws -> Bool
    func takeCommitted() -> [EncodedRow]
}

struct TestedSQLite: TestedStore {
    let store: Store
    let directory: TemporaryDirectory

    init(_ clock: TestClock) throws {
        directory = try TemporaryDirectory()
        store = try Store.open(.test(directory.file(), clock: clock))
    }

    var replica: any ReplicaStore { store }
    var nodeID: NodeID { store.nodeID }
    var summary: TreeSummary { store.summary }
    var todoCount: Int { store.todoCount }

    func create(_ key: ByteString, _ text: ByteString) async throws -> Bool {
        try await store.create(externID: key.string, text: text.string) != .exists
    }
    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) async throws -> Bool {
        try await store.update(.externID(key.string), text: text?.string, isCompleted: isCompleted) != nil
    }
    func delete(_ key: ByteString) async throws -> Bool { try await store.delete(.externID(key.string)) }
    func takeCommitted() -> [EncodedRow] { store.committed.takeNow() }
}

struct TestedMemory: TestedStore {
    let store: MemoryReplicaStore

    init(_ clock: TestClock, nodeID: NodeID = NodeID(0xabc)) {
        store = MemoryReplicaStore(nodeID: nodeID, wallClock: { clock.reading })
    }

    var replica: any ReplicaStore { store }
    var nodeID: NodeID { store.nodeID }
    var summary: TreeSummary { store.summary }
    var todoCount: Int { store.todoCount }
    func create(_ key: ByteString, _ text: ByteString) -> Bool { store.create(key, text) }
    func update(_ key: ByteString, text: ByteString?, isCompleted: Bool?) -> Bool {
        store.update(key, text: text, isCompleted: isCompleted)
    }
    func delete(_ key: ByteString) -> Bool { store.delete(key) }
    func takeCommitted() -> [EncodedRow] { store.takeCommitted() }
}

enum StoreKind: CaseIterable {
    case sqlite, memory

    func make(_ clock: TestClock) throws -> any TestedStore {
        switch self {
        case .sqlite: try TestedSQLite(clock)
        case .memory: TestedMemory(clock)
        }
    }
}

/// What every replica store owes the replication engine.
@Suite("Replica store", .timeLimit(.minutes(2)))
struct ReplicaStoreTests {
    let clock = TestClock()

    private func stamp(_ time: UInt64, _ origin: UInt64 = 1) -> Stamp {
        Stamp(time: HybridTime(rawValue: time), origin: NodeID(origin))
    }

    private func row(_ key: ByteString, _ text: ByteString = "text", _ time: UInt64 = 10, _ origin: UInt64 = 1) -> Row {
        .created(key: key, text: text, atMilliseconds: Int64(time >> 16), stamp: stamp(time, origin))
    }

    private func merge(
        _ rows: [Row], _ store: any TestedStore
    ) async throws -> MergeOutcome {
        try await store.replica.merge(rows.encoded)
    }

    @Test("An empty store has the empty tree and one empty page", arguments: StoreKind.allCases)
    func empty(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        #expect(store.summary == .empty)
        let sums = TopSums(summary: .empty, sums: [UInt64](repeating: 0, count: 256))
        #expect(try await store.replica.topSums() == sums)
        #expect(try await store.replica.page(after: nil, maxBytes: 100) == RowPage(rows: [], isLast: true))
        #expect(try await store.replica.digests(buckets: [7], limit: .all) == [BucketDigests(bucket: 7, entries: [])])
        #expect(try await merge([], store) == MergeOutcome(isNews: []))
    }

    @Test("A merge is news once, and a row that says the same is not", arguments: StoreKind.allCases)
    func mergeOnce(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        #expect(try await merge([row("a"), row("b")], store).isNews == [true, true])
        #expect(try await merge([row("b"), row("a"), row("c")], store).isNews == [false, false, true])
        #expect(store.todoCount == 3)
        #expect(store.takeCommitted() == [])
    }

    @Test("Several versions of one key in one merge all count, in order", arguments: StoreKind.allCases)
    func duplicates(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        let first = row("a", "one", 10)
        let second = row("a", "two", 20)
        let gone = second.deleted(at: stamp(30))
        let again = row("a", "three", 40)
        #expect(
            try await merge([first, second, first, gone, second, again, gone], store).isNews
                == [true, true, false, true, false, true, false])
        #expect(try await allRows(of: store.replica) == [again])
        #expect(store.summary.count == 1)
    }

    @Test("A row of the year 9999 cannot be written over, and one of later is not taken in")
    func lastStamp() async throws {
        let store = try TestedSQLite(clock)
        func created(_ key: ByteString, _ milliseconds: Int64) -> Row {
            .created(
                key: key, text: "x", atMilliseconds: 0,
                stamp: Stamp(time: HybridTime(milliseconds: milliseconds, counter: .max), origin: NodeID(1)))
        }
        let last = Row.latestStampMilliseconds
        let outcome = try await merge([created("last", last), created("beyond", last + 1)], store)
        #expect(outcome == MergeOutcome(isNews: [true, false], passedOverCount: 1))
        await #expect(throws: StoreError.stampsUsedUp) { try await store.update("last", text: "y", isCompleted: nil) }
        await #expect(throws: StoreError.stampsUsedUp) { try await store.delete("last") }
        #expect(try await store.create("other", "x"))
    }

    @Test(
        "Rows from a clock that is ahead are taken in and counted, and no other row is stamped after them",
        arguments: StoreKind.allCases)
    func ahead(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        clock.isConfirmed = true
        let wall = HybridTime(milliseconds: clock.milliseconds)
        let near = HybridTime(milliseconds: clock.milliseconds + 2_000)
        let far = HybridTime(milliseconds: clock.milliseconds + 3_600_000)
        func created(_ key: ByteString, _ time: HybridTime) -> Row {
            .created(key: key, text: "x", atMilliseconds: 0, stamp: Stamp(time: time, origin: NodeID(1)))
        }
        #expect(try await merge([created("now", wall), created("far", far)], store).aheadCount == 1)
        let again = try await merge([created("far", far), created("near", near)], store)
        #expect(again == MergeOutcome(isNews: [false, true]))
        #expect(try await store.create("other", "x"))
        #expect(try await store.update("far", text: "later", isCompleted: nil))
        let rows = try await allRows(of: store.replica)
        let other = try #require(rows.first { $0.key == "other" })
        let changed = try #require(rows.first { $0.key == "far" })
        #expect(
            other.latestStamp.time > near && other.latestStamp.time < HybridTime(milliseconds: near.milliseconds + 10))
        #expect(changed.text?.stamp.time.milliseconds == far.milliseconds + 1 && changed.text?.value == "later")
        #expect(try await store.delete("far"))
        #expect(try await !store.delete("far"))
        #expect(try await store.create("far", "again"))
    }

    @Test("A text edited there and a tick set here both survive", arguments: StoreKind.allCases)
    func fieldMerge(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        _ = try await merge([row("a", "old", 10)], store)
        _ = try await store.update("a", text: nil, isCompleted: true)
        var edited = row("a", "old", 10)
        edited.text = Register("new", stamp(20, 2))
        #expect(try await merge([edited], store).isNews == [true])
        let merged = try #require(try await allRows(of: store.replica).first)
        #expect(merged.text?.value == "new" && merged.completed?.value == true)
    }

    @Test(
        "A delete hides, a create brings back, and what is newer than a delete is kept unseen",
        arguments: StoreKind.allCases)
    func deleteAndEdit(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        let old = row("a", "old", 10)
        var edited = old
        edited.text = Register("edited", stamp(30))
        _ = try await merge([old, edited, old.deleted(at: stamp(20))], store)
        #expect(store.todoCount == 0)
        let tombstone = try #require(try await allRows(of: store.replica).first)
        #expect(tombstone.isDeleted && tombstone.text?.value == "edited" && tombstone.completed == nil)
        _ = try await merge([row("a", "again", 25, 9)], store)
        #expect(store.todoCount == 1)
        #expect(try await allRows(of: store.replica).first?.text?.value == "edited")
    }

    @Test(
        "A local write is later than all that was merged, whatever the wall clock says",
        arguments: StoreKind.allCases)
    func localIsLater(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        let future = HybridTime(milliseconds: clock.milliseconds + 86_400_000)
        _ = try await merge([row("a", "future", future.rawValue)], store)
        #expect(try await store.update("a", text: "now", isCompleted: nil))
        #expect(try await store.delete("a"))
        #expect(try await store.create("a", "again"))
        let committed = store.takeCommitted().map(\.row)
        #expect(committed.count == 3)
        for row in committed {
            #expect(row.latestStamp.time > future && row.latestStamp.origin == store.nodeID && row.isValid)
        }
        #expect(zip(committed, committed.dropFirst()).allSatisfy { $0.latestStamp < $1.latestStamp })
        #expect(try await allRows(of: store.replica) == [try #require(committed.last)])
    }

    @Test("Local outcomes: exists, not there, nothing to change", arguments: StoreKind.allCases)
    func localOutcomes(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        #expect(try await store.create("a", "text"))
        #expect(try await !store.create("a", "other"))
        #expect(try await store.update("a", text: nil, isCompleted: nil))
        #expect(try await !store.update("b", text: "x", isCompleted: nil))
        #expect(try await !store.delete("b"))
        #expect(store.takeCommitted().count == 1)
        #expect(try await store.update("a", text: "text", isCompleted: nil), "the same value is a write")
        #expect(store.takeCommitted().count == 1)
        #expect(try await store.delete("a"))
        #expect(try await !store.delete("a"))
        #expect(try await !store.update("a", text: "x", isCompleted: nil))
    }

    @Test("Pages cut by bytes hold every row once, in the order of the keys' bytes", arguments: StoreKind.allCases)
    func pages(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        let keys: [ByteString] = ["", "\0", "a", "a\0", "a\0b", "aa", "é", "e\u{301}", "🙂", "z", "Z", "\u{10ffff}"]
        var rows = keys.map { row($0) }
        for index in stride(from: 0, to: rows.count, by: 3) { rows[index] = rows[index].deleted(at: stamp(20)) }
        rows.append(row("big", ByteString(String(repeating: "x", count: 3_000))))
        _ = try await merge(rows.reversed(), store)
        let sorted = rows.sorted { $0.key < $1.key }
        for maxBytes in [0, 1, 100, 200, 1_000, 100_000] {
            #expect(try await allRows(of: store.replica, maxBytes: maxBytes) == sorted)
        }
        let end = try await store.replica.page(after: "\u{10ffff}", maxBytes: 10)
        #expect(end == RowPage(rows: [], isLast: true))
    }

    @Test(
        "Two replicas with different rows become equal by a walk of sums, digests and rows",
        arguments: StoreKind.allCases)
    func walk(kind: StoreKind) async throws {
        let ours = try kind.make(clock)
        let theirs = TestedMemory(clock, nodeID: NodeID(0x77))
        for number in 0..<300 {
            let shared = row(ByteString("key \(number)"))
            if number % 7 != 0 { _ = try await merge([shared], ours) }
            if number % 5 != 0 { _ = try await merge([shared], theirs) }
            if number % 11 == 0 { _ = try await ours.update(shared.key, text: "ours", isCompleted: nil) }
            if number % 13 == 0 { _ = theirs.delete(shared.key) }
        }
        #expect(ours.summary.root != theirs.summary.root)
        let ourTops = try await ours.replica.topSums().sums
        let theirTops = try await theirs.replica.topSums().sums
        let tops = (0..<256).filter { ourTops[$0] != theirTops[$0] }.map { UInt8($0) }
        let ourSums = try await ours.replica.bucketSums(tops: tops)
        let theirSums = try await theirs.replica.bucketSums(tops: tops)
        var buckets: [UInt16] = []
        for (index, top) in tops.enumerated() {
            for low in 0..<256 where ourSums[index][low] != theirSums[index][low] {
                buckets.append(UInt16(top) << 8 | UInt16(low))
            }
        }
        let digests = try await theirs.replica.digests(buckets: buckets, limit: .all)
        let comparison = try await ours.replica.compare(digests, limit: .all)
        let wanted = try await theirs.replica.rows(comparison.wanted, limit: .all).rows
        #expect(!comparison.ours.rows.isEmpty && !wanted.isEmpty && wanted.count < 200)
        _ = try await ours.replica.merge(wanted)
        _ = try await theirs.replica.merge(comparison.ours.rows)
        #expect(ours.summary == theirs.summary)
        #expect(try await allRows(of: ours.replica) == allRows(of: theirs.replica))
    }

    @Test("Digests are ordered by the hash of the key and lead back to the rows", arguments: StoreKind.allCases)
    func digests(kind: StoreKind) async throws {
        let store = try kind.make(clock)
        let rows = (0..<2_000).map { row(ByteString("key \($0)")) }
        _ = try await merge(rows, store)
        let digests = try await store.replica.digests(buckets: Array(0...UInt16.max), limit: .all)
        #expect(digests.map(\.bucket) == Array(0...UInt16.max))
        #expect(digests.reduce(0) { $0 + $1.entries.count } == rows.count)
        for digest in digests {
            #expect(zip(digest.entries, digest.entries.dropFirst()).allSatisfy { $0.keyHash < $1.keyHash })
            #expect(digest.entries.allSatisfy { UInt16($0.keyHash >> 48) == digest.bucket })
        }
        let wants = digests.map { BucketWant(bucket: $0.bucket, keyHashes: $0.entries.map(\.keyHash)) }
        let found = try await store.replica.rows(wants, limit: .all).rows
        #expect(Set(found) == Set(rows.encoded))
        #expect(
            try await store.replica.compare(digests, limit: .all)
                == Comparison(ours: RowBatch(bucketCount: 65_536), wanted: []))
    }
}
