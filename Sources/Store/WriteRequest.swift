internal import Replication

/// Where the outcome of a request goes.
typealias Reply<Value: Sendable> = CheckedContinuation<Result<Value, StoreError>, Never>

/// A write by a user of this node: one row, and somebody waits for it.
enum LocalRequest {
    case create(key: ByteString, text: ByteString, Reply<CreateOutcome>)
    case update(TodoAddress, text: ByteString?, isCompleted: Bool?, TodoCondition?, Reply<Todo?>)
    case delete(TodoAddress, TodoCondition?, Reply<Bool>)
    case saveKnownMembers([KnownMember], Reply<Void>)
    /// Bounds the size of the database, in pages: for tests of a full disk.
    case limitPages(Int64, Reply<Void>)

    func fail(_ error: StoreError) {
        switch self {
        case .create(_, _, let reply): reply.resume(returning: .failure(error))
        case .update(_, _, _, _, let reply): reply.resume(returning: .failure(error))
        case .delete(_, _, let reply): reply.resume(returning: .failure(error))
        case .saveKnownMembers(_, let reply), .limitPages(_, let reply): reply.resume(returning: .failure(error))
        }
    }

    var bytes: Int {
        switch self {
        case .create(let key, let text, _): key.utf8.count + text.utf8.count
        case .update(_, let text, _, _, _): text?.utf8.count ?? 0
        case .saveKnownMembers(let members, _): members.count * 64
        case .delete, .limitPages: 0
        }
    }
}

/// Rows from a peer, merged in parts so that no transaction is long.
///
/// Not `Sendable`: handed over under the queue's lock, then used by the writer alone.
final class MergeRequest {
    let rows: [EncodedRow]
    let latest: HybridTime
    let bytes: Int
    private let reply: Reply<MergeOutcome>
    private var outcome = MergeOutcome(isNews: [])
    private(set) var isFinished = false

    init(rows: [EncodedRow], latest: HybridTime, reply: Reply<MergeOutcome>) {
        self.rows = rows
        self.latest = latest
        self.reply = reply
        bytes = rows.reduce(0) { $0 + $1.bytes.count }
        outcome.isNews.reserveCapacity(rows.count)
    }

    /// Rows that are done.
    var doneCount: Int { outcome.isNews.count }

    /// Notes the outcome of the next rows after their commit; answers after the last.
    func finish(part: MergeOutcome) {
        outcome.isNews += part.isNews
        outcome.aheadCount += part.aheadCount
        outcome.furthestAhead = [outcome.furthestAhead, part.furthestAhead].compactMap { $0 }.max()
        guard doneCount == rows.count else { return }
        isFinished = true
        reply.resume(returning: .success(outcome))
    }

    func fail(_ error: StoreError) {
        isFinished = true
        reply.resume(returning: .failure(error))
    }
}
