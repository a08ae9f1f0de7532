internal import DequeModule
internal import class Foundation.NSCondition
internal import Replication
internal import Transport

/// What waits for the writer. Local writes and merges stand in two lines, so that a long merge holds nobody up.
///
/// `@unchecked Sendable`: all state is touched under `condition` only.
final class WriteQueue: @unchecked Sendable {
    /// Bounds of one transaction: with these it takes some 30 ms at most, for typical rows on a disk of our days.
    static let maxLocalRequests = 1_024
    static let maxMergeRows = 2_000
    static let maxMergeBytes = 4 << 20

    /// One piece of work of a transaction.
    enum Work {
        case local(any LocalRequest)
        case merge(MergeRequest, Range<Int>)

        /// Within a transaction. May be called again when that one was rolled back.
        func run(_ core: WriterCore) throws(StoreError) {
            switch self {
            case .local(let request): try request.run(core)
            case .merge(let request, let range): try request.run(range, core.rows)
            }
        }

        /// After the commit.
        func answer() {
            switch self {
            case .local(let request): request.answer()
            case .merge(let request, _): request.answer()
            }
        }

        func fail(_ error: StoreError) {
            switch self {
            case .local(let request): request.fail(error)
            case .merge(let request, _): request.fail(error)
            }
        }
    }

    private let condition = NSCondition()
    private let maxRequests: Int
    private let maxBytes: Int
    private var locals = Deque<any LocalRequest>()
    private var merges = Deque<MergeRequest>()
    private var bytes = 0
    private var isClosed = false
    private var isWriterWaiting = false

    init(maxRequests: Int, maxBytes: Int) {
        self.maxRequests = maxRequests
        self.maxBytes = maxBytes
    }

    /// Queues the request, or fails it at once.
    func submit(_ request: any LocalRequest) {
        if let refusal = admit(request.bytes, { locals.append(request) }) { request.fail(refusal) }
    }

    /// Queues the request, or fails it at once.
    func submit(_ request: MergeRequest) {
        if let refusal = admit(request.bytes, { merges.append(request) }) { request.fail(refusal) }
    }

    /// Requests that wait now, a merge as one.
    var waitingCount: Int {
        condition.lock()
        defer { condition.unlock() }
        return locals.count + merges.count
    }

    /// Lets nothing more in. What waits is still written.
    func close() {
        condition.lock()
        isClosed = true
        condition.signal()
        condition.unlock()
    }

    /// Waits for work; `nil` when closed and empty. For the writer alone.
    func next() -> [Work]? {
        condition.lock()
        defer { condition.unlock() }
        while locals.isEmpty && merges.isEmpty {
            if isClosed { return nil }
            isWriterWaiting = true
            condition.wait()
            isWriterWaiting = false
        }
        return take(Self.maxLocalRequests, Self.maxMergeRows)
    }

    /// What waits now, at most so much, without waiting for more. For the writer alone.
    func takeNow(maxLocalRequests: Int, maxMergeRows: Int) -> [Work] {
        condition.lock()
        defer { condition.unlock() }
        return take(min(maxLocalRequests, Self.maxLocalRequests), min(maxMergeRows, Self.maxMergeRows))
    }

    private func take(_ maxLocalRequests: Int, _ maxMergeRows: Int) -> [Work] {
        var work: [Work] = []
        while work.count < maxLocalRequests, let request = locals.popFirst() {
            bytes -= request.bytes
            work.append(.local(request))
        }
        takeMerges(&work, maxMergeRows)
        return work
    }

    /// The next rows of the merges in line. A merge that is not used up stays the first.
    private func takeMerges(_ work: inout [Work], _ maxMergeRows: Int) {
        var rowCount = 0
        var byteCount = 0
        while let merge = merges.first {
            if merge.isFinished {
                dropFirstMerge()
                continue
            }
            let start = merge.doneCount
            var end = start
            while end < merge.rows.count, rowCount < maxMergeRows, byteCount < Self.maxMergeBytes {
                byteCount += merge.rows[end].bytes.count
                rowCount += 1
                end += 1
            }
            let isLast = end == merge.rows.count
            if end > start || isLast { work.append(.merge(merge, start..<end)) }
            guard isLast else { return }
            dropFirstMerge()
        }
    }

    private func dropFirstMerge() { if let merge = merges.popFirst() { bytes -= merge.bytes } }

    private func admit(_ requestBytes: Int, _ append: () -> Void) -> StoreError? {
        condition.lock()
        defer { condition.unlock() }
        guard !isClosed else { return .closed }
        let waiting = locals.count + merges.count
        guard waiting < maxRequests, waiting == 0 || bytes + requestBytes <= maxBytes else { return .overloaded }
        append()
        bytes += requestBytes
        if isWriterWaiting { condition.signal() }
        return nil
    }
}
