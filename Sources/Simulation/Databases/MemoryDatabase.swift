internal import DequeModule
internal import Membership
internal import Replication
internal import Store
internal import Transport

/// A dictionary for a database, for large runs.
final class MemoryDatabase: NodeDatabase {
    private static let maxWaiting = 1_024
    /// As those of the store.
    private static let maxCommittedBytes = 16 << 20
    private static let maxCommittedRows = 65_536

    private(set) var replica: MemoryReplica
    private(set) var committed = makeQueue()
    var faults = DiskFaults()
    private var members: [KnownMember] = []
    private var locals = Deque<DatabaseWork>()
    /// They wait for their callers, so that there are few.
    private var merges = Deque<DatabaseWork>()
    private var batch: [DatabaseWork] = []

    init(_ replica: MemoryReplica) { self.replica = replica }

    var nodeID: NodeID { replica.nodeID }
    var rows: [ByteString: EncodedRow] { replica.rows }
    var summary: TreeSummary { replica.summary }

    func open(_ wall: WallReading, forgetsBound: Bool) -> UInt64 {
        committed = Self.makeQueue()
        return replica.restart(wall, forgetsBound: forgetsBound)
    }

    func knownMembers() -> [KnownMember] { members }

    func answer(_ question: WalkQuestion, at wall: WallReading) -> WalkAnswer { replica.answer(question, at: wall) }

    func read(_ key: ByteString) -> FoundRow? { FoundRow(row: replica.rows[key]) }

    func submit(_ work: DatabaseWork) -> DatabaseResult? {
        switch work {
        case .write:
            guard locals.count < Self.maxWaiting else {
                return DatabaseResult(work: work, outcome: .failed(.overloaded))
            }
            locals.append(work)
        case .save(let members): self.members = members
        case .merge, .walkMerge: merges.append(work)
        }
        return nil
    }

    var isBusy: Bool { !locals.isEmpty || !merges.isEmpty || !batch.isEmpty }

    func beginTransaction(_ size: TransactionSize) -> Bool {
        guard batch.isEmpty else { return false }
        while batch.count < size.localRequests, let work = locals.popFirst() { batch.append(work) }
        batch += merges
        merges = []
        return !batch.isEmpty
    }

    func commitTransaction(at wall: WallReading) -> [DatabaseResult] {
        let works = batch
        batch = []
        if faults.isFull { return works.map { DatabaseResult(work: $0, outcome: .failed(.diskFull(path: ""))) } }
        let results = works.map { DatabaseResult(work: $0, outcome: apply($0, wall)) }
        replica.commit()
        committed.append(
            results.compactMap { result in if case .written(let row, _) = result.outcome { row } else { nil } })
        return results
    }

    func end(_ end: ProcessEnd, _ rest: LastCommit, at wall: WallReading) -> [DatabaseResult] {
        var results: [DatabaseResult] = []
        switch rest {
        case .whole: results = commitTransaction(at: wall)
        case .notBegun, .after: batch = []
        }
        (locals, merges) = ([], [])
        return results
    }

    func flipBit() -> Bool { false }

    func flipBit(ofText key: ByteString) -> Bool { false }

    func integrityFault() -> String? { nil }

    func words(for error: StoreError) -> String { error.description }

    func copy(seed: UInt64) -> any NodeDatabase { MemoryDatabase(replica) }

    private func apply(_ work: DatabaseWork, _ wall: WallReading) -> DatabaseResult.Outcome {
        switch work {
        case .write(let write):
            let before = replica.rows[write.key]?.row
            guard let row = apply(write, wall) else { return .refused }
            return .written(row, before: before)
        case .merge(_, let rows), .walkMerge(_, let rows): return .merged(replica.merge(rows, at: wall))
        case .save: return .saved
        }
    }

    private func apply(_ write: ClientWrite, _ wall: WallReading) -> EncodedRow? {
        switch write.kind {
        case .create(let text): replica.create(write.key, text: ByteString(text), at: wall)
        case .update(let text, let completed):
            replica.update(write.key, text: text.map { ByteString($0) }, completed: completed, at: wall)
        case .delete: replica.delete(write.key, at: wall)
        }
    }

    private static func makeQueue() -> BatchQueue<EncodedRow> {
        BatchQueue(maxBytes: maxCommittedBytes, maxCount: maxCommittedRows, size: { $0.bytes.count })
    }
}
