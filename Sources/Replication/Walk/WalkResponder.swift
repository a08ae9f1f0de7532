package import Transport

/// The side of a walk that was asked: the donor of a first sync, or the peer of a node whose root differs.
package struct WalkResponder: Walk {
    /// Tops whose sums travel in one message: 31 x 2,049 bytes stay under 64 KiB.
    private static let topsPerMessage = 31

    private enum State {
        case waiting
        case summing(WalkMessage.Open)
        case paging
        /// The tops whose sums are still to be sent, the first chunk of them being loaded.
        case sendingSums([UInt8])
        case serving
        /// Rows of these buckets are compared, after those that did not fit into the last answer.
        case comparing(ArraySlice<BucketDigests>)
        case merging
        case over
    }

    private let node: NodeID
    private let isSynced: Bool
    private let wallMilliseconds: UInt64
    private let heads: [ReplicationMessage.StreamHead]
    private let limit: WalkLimit
    private var state = State.waiting
    /// The greatest hash of a key that digests have told of.
    private var comparedUpTo: UInt64?
    /// What is wanted of the batch that is compared.
    private var wanted: [BucketWant] = []
    private var outcome = WalkOutcome()

    /// `isSynced`: whether this node has everything, which tells a joiner how much its answer is worth. `heads`: how far the
    /// streams have come of which all is in the store already.
    package init(
        node: NodeID, isSynced: Bool, wallMilliseconds: UInt64 = 0, heads: [ReplicationMessage.StreamHead] = [],
        limit: WalkLimit = WalkLimit()
    ) {
        self.node = node
        self.heads = heads
        self.isSynced = isSynced
        self.wallMilliseconds = wallMilliseconds
        self.limit = limit
    }

    package mutating func begin() -> WalkTurn { WalkTurn(then: .receive) }

    package mutating func received(_ message: WalkMessage) throws(WalkFailure) -> WalkTurn {
        switch (state, message) {
        case (.waiting, .open(let open)):
            guard open.node != node else { return refuse(.sameNode) }
            state = .summing(open)
            return WalkTurn(then: .ask(.topSums))
        case (.waiting, .foreignOpen): return refuse(.otherVersion)
        case (.serving, .digests(let buckets)):
            // Ascending and few, so that no peer can make us load everything, or the same again and again.
            guard buckets.count <= WalkInitiator.maxBatchBuckets,
                zip(buckets, buckets.dropFirst()).allSatisfy({ $0.span.upperBound < $1.span.lowerBound })
            else { throw .unexpectedMessage }
            guard let first = buckets.first, let last = buckets.last else { return sendWants([]) }
            guard comparedUpTo.map({ $0 < first.span.lowerBound }) ?? true else { throw .unexpectedMessage }
            comparedUpTo = last.span.upperBound
            return compare(buckets[...])
        case (.serving, .rows(let rows)):
            guard !rows.isEmpty else { return WalkTurn(then: .receive) }
            state = .merging
            return WalkTurn(then: .ask(.merge(rows)))
        case (.serving, .finish): return done()
        default: throw .unexpectedMessage
        }
    }

    package mutating func answered(_ answer: WalkAnswer) throws(WalkFailure) -> WalkTurn {
        switch (state, answer) {
        case (.summing(let open), .topSums(let top)):
            var turn = begin(open, top)
            turn.messages.insert(
                WalkMessage.accepted(wallMilliseconds: wallMilliseconds, heads: heads).encoded(), at: 0)
            return turn
        case (.sendingSums(let tops), .bucketSums(let sums)):
            let chunk = zip(tops, sums).map { WalkMessage.TopSums(top: $0, sums: $1) }
            var turn = nextSums(Array(tops.dropFirst(chunk.count)))
            turn.messages.insert(WalkMessage.sums(chunk).encoded(), at: 0)
            return turn
        case (.paging, .page(let page)):
            outcome.sentCount += page.rows.count
            let messages = WalkMessage.rowMessages(page.rows)
            guard !page.isLast, let last = page.rows.last else {
                var turn = done()
                turn.messages = messages + turn.messages
                return turn
            }
            return WalkTurn(
                sending: messages, then: .ask(.page(after: last.key, maxBytes: WalkMessage.targetBytes)))
        case (.comparing(let theirs), .compare(let comparison)):
            wanted += comparison.wanted
            return send(comparison.ours, theirs.dropFirst(comparison.ours.bucketCount))
        case (.comparing(let theirs), .rest(let batch)): return send(batch, theirs)
        case (.merging, .merge(let merge)):
            state = .serving
            outcome.note(merge)
            return WalkTurn(then: .receive)
        default: throw .unexpectedMessage
        }
    }

    /// What was sent so is missing here, and the peer is told so at the end. It gets all that it lacks none the less.
    package mutating func storeFailed() -> WalkTurn? {
        guard case .merging = state else { return nil }
        state = .serving
        outcome.failedMergeCount += 1
        return WalkTurn(then: .receive)
    }

    private mutating func begin(_ open: WalkMessage.Open, _ top: TopSums) -> WalkTurn {
        if open.summary == top.summary { return done() }
        if open.summary.count == 0 {
            state = .paging
            return WalkTurn(then: .ask(.page(after: nil, maxBytes: WalkMessage.targetBytes)))
        }
        let tops = zip(open.topSums, top.sums).enumerated().filter { $1.0 != $1.1 }.map { UInt8($0.offset) }
        return nextSums(tops)
    }

    private mutating func compare(_ theirs: ArraySlice<BucketDigests>) -> WalkTurn {
        state = .comparing(theirs)
        return WalkTurn(then: .ask(.compare(Array(theirs), limit)))
    }

    /// `theirs`: what is still to be compared after this batch.
    private mutating func send(_ batch: RowBatch, _ theirs: ArraySlice<BucketDigests>) -> WalkTurn {
        outcome.sentCount += batch.rows.count
        let messages = WalkMessage.rowMessages(batch.rows)
        guard batch.rest.isEmpty, theirs.isEmpty else {
            var turn = batch.rest.isEmpty ? compare(theirs) : WalkTurn(then: .ask(.rest(batch.rest, limit)))
            state = .comparing(theirs)
            turn.messages = messages.isEmpty ? [WalkMessage.rows([]).encoded()] : messages
            return turn
        }
        return sendWants(messages)
    }

    private mutating func sendWants(_ messages: [[UInt8]]) -> WalkTurn {
        defer { wanted = [] }
        state = .serving
        return WalkTurn(sending: messages + [WalkMessage.wants(wanted).encoded()], then: .receive)
    }

    private mutating func nextSums(_ tops: [UInt8]) -> WalkTurn {
        guard !tops.isEmpty else {
            state = .serving
            return WalkTurn(sending: [WalkMessage.sums([]).encoded()], then: .receive)
        }
        state = .sendingSums(tops)
        return WalkTurn(then: .ask(.bucketSums(tops: Array(tops.prefix(Self.topsPerMessage)))))
    }

    private mutating func done() -> WalkTurn {
        state = .over
        let done = WalkMessage.Done(isSynced: isSynced, hasAll: outcome.isWhole)
        return WalkTurn(sending: [WalkMessage.done(done).encoded()], then: .finished(outcome))
    }

    private mutating func refuse(_ refusal: WalkMessage.Refusal) -> WalkTurn {
        state = .over
        outcome.refusal = refusal
        return WalkTurn(sending: [WalkMessage.refusal(refusal).encoded()], then: .finished(outcome))
    }
}
