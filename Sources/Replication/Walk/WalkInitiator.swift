package import Transport

/// The side of a walk that opens it: a joiner at its first sync, or a node whose root differs from a peer's.
package struct WalkInitiator: Walk {
    /// Entries of digests in one message, about.
    package static let maxBatchEntries = 4_096
    /// Buckets whose digests are sent at once, at most.
    package static let maxBatchBuckets = 256

    private enum State {
        case summing
        /// The donor has not accepted yet.
        case calling(isEmpty: Bool)
        /// `isEmpty`: rows may come in key order.
        case opened(isEmpty: Bool)
        case comparingSums([WalkMessage.TopSums])
        case merging(then: AfterMerge)
        case loadingDigests
        /// Rows and then one wants message come.
        case batchSent
        /// Rows that the donor wants are read: those of these buckets, after those that did not fit into the last answer.
        case loadingWanted(ArraySlice<BucketWant>)
        case finishing
        case over
    }

    private enum AfterMerge { case filling, batch }

    private let node: NodeID
    private let wallMilliseconds: UInt64
    private let limit: WalkLimit
    private var state = State.summing
    private var differing: [UInt16] = []
    private var nextDiffering = 0
    /// Digests that are read and not sent yet.
    private var unsent: ArraySlice<BucketDigests> = []
    private var sentEntries = 0
    private var outcome = WalkOutcome()

    /// `node`: this node's id, by which a donor notices a copied database.
    package init(node: NodeID, wallMilliseconds: UInt64 = 0, limit: WalkLimit = WalkLimit()) {
        self.node = node
        self.wallMilliseconds = wallMilliseconds
        self.limit = limit
    }

    package mutating func begin() -> WalkTurn { WalkTurn(then: .ask(.topSums)) }

    /// What was merged stays, and another donor may be tried.
    package mutating func storeFailed() -> WalkTurn? { nil }

    package mutating func answered(_ answer: WalkAnswer) throws(WalkFailure) -> WalkTurn {
        switch (state, answer) {
        case (.summing, .topSums(let top)):
            let summary = top.summary
            state = .calling(isEmpty: summary.count == 0)
            let open = WalkMessage.Open(
                node: node, wallMilliseconds: wallMilliseconds, summary: summary,
                topSums: summary.count == 0 ? [] : top.sums)
            return WalkTurn(sending: [WalkMessage.open(open).encoded()], then: .receive)
        case (.comparingSums(let theirs), .bucketSums(let ours)):
            guard ours.count == theirs.count else { throw .unexpectedMessage }
            for (their, our) in zip(theirs, ours) {
                for index in 0..<min(their.sums.count, our.count) where their.sums[index] != our[index] {
                    differing.append(UInt16(their.top) << 8 | UInt16(index))
                }
            }
            state = .opened(isEmpty: false)
            return WalkTurn(then: .receive)
        case (.merging(let after), .merge(let merge)):
            outcome.note(merge)
            switch after {
            case .filling: state = .opened(isEmpty: true)
            case .batch: state = .batchSent
            }
            return WalkTurn(then: .receive)
        case (.loadingDigests, .digests(let digests)):
            guard !digests.isEmpty, nextDiffering + digests.count <= differing.count else { throw .unexpectedMessage }
            nextDiffering += digests.count
            unsent = digests.flatMap { $0.parts(of: Self.maxBatchEntries) }[...]
            return sendDigests()
        case (.loadingWanted(let wants), .rows(let batch)):
            return sendWanted(batch, wants.dropFirst(batch.bucketCount))
        case (.loadingWanted(let wants), .rest(let batch)): return sendWanted(batch, wants)
        default: throw .unexpectedMessage
        }
    }

    package mutating func received(_ message: WalkMessage) throws(WalkFailure) -> WalkTurn {
        if case .refusal(let refusal) = message { throw .refused(refusal) }
        switch (state, message) {
        case (.calling(let isEmpty), .accepted):
            state = .opened(isEmpty: isEmpty)
            return WalkTurn(then: .receive)
        case (.opened, .done(let done)), (.finishing, .done(let done)):
            state = .over
            outcome.isPeerSynced = done.isSynced
            outcome.hasPeerAll = done.hasAll
            return WalkTurn(then: .finished(outcome))
        case (.opened(isEmpty: true), .rows(let rows)):
            state = .merging(then: .filling)
            return WalkTurn(then: .ask(.merge(rows)))
        case (.opened(isEmpty: false), .sums(let tops)):
            // Each top may come once; more would let a peer grow the list of buckets without end.
            guard differing.count + tops.count * HashTree.fanOut <= 2 * HashTree.bucketCount else {
                throw .unexpectedMessage
            }
            if tops.isEmpty { return nextBatch() }
            state = .comparingSums(tops)
            return WalkTurn(then: .ask(.bucketSums(tops: tops.map(\.top))))
        case (.batchSent, .rows(let rows)):
            // The donor has found nothing so far, and goes on.
            guard !rows.isEmpty else { return WalkTurn(then: .receive) }
            state = .merging(then: .batch)
            return WalkTurn(then: .ask(.merge(rows)))
        case (.batchSent, .wants(let wants)):
            // No more than what it was told of.
            guard wants.count <= Self.maxBatchBuckets,
                wants.reduce(0, { $0 + $1.keyHashes.count }) <= sentEntries,
                zip(wants, wants.dropFirst()).allSatisfy({ $0.bucket <= $1.bucket })
            else { throw .unexpectedMessage }
            return wants.isEmpty ? endBatch([]) : loadWanted(wants[...])
        default: throw .unexpectedMessage
        }
    }

    // MARK: - Batches

    private mutating func nextBatch() -> WalkTurn {
        guard unsent.isEmpty else { return sendDigests() }
        guard nextDiffering < differing.count else {
            state = .finishing
            return WalkTurn(sending: [WalkMessage.finish.encoded()], then: .receive)
        }
        let end = min(nextDiffering + Self.maxBatchBuckets, differing.count)
        state = .loadingDigests
        return WalkTurn(then: .ask(.digests(buckets: Array(differing[nextDiffering..<end]), limit)))
    }

    /// As many as fit into a message, at least one.
    private mutating func sendDigests() -> WalkTurn {
        var batch: [BucketDigests] = []
        sentEntries = 0
        while let next = unsent.first, batch.count < Self.maxBatchBuckets,
            batch.isEmpty || sentEntries + next.entries.count <= Self.maxBatchEntries
        {
            sentEntries += next.entries.count
            batch.append(next)
            unsent.removeFirst()
        }
        state = .batchSent
        return WalkTurn(sending: [WalkMessage.digests(batch).encoded()], then: .receive)
    }

    private mutating func loadWanted(_ wants: ArraySlice<BucketWant>) -> WalkTurn {
        state = .loadingWanted(wants)
        return WalkTurn(then: .ask(.rows(Array(wants), limit)))
    }

    /// `wants`: what is still to be read after this batch.
    private mutating func sendWanted(_ batch: RowBatch, _ wants: ArraySlice<BucketWant>) -> WalkTurn {
        outcome.sentCount += batch.rows.count
        let messages = WalkMessage.rowMessages(batch.rows)
        guard batch.rest.isEmpty, wants.isEmpty else {
            var turn = batch.rest.isEmpty ? loadWanted(wants) : WalkTurn(then: .ask(.rest(batch.rest, limit)))
            state = .loadingWanted(wants)
            turn.messages = messages.isEmpty ? [WalkMessage.rows([]).encoded()] : messages
            return turn
        }
        return endBatch(messages)
    }

    private mutating func endBatch(_ messages: [[UInt8]]) -> WalkTurn {
        var turn = nextBatch()
        turn.messages = messages + [WalkMessage.rows([]).encoded()] + turn.messages
        return turn
    }
}
