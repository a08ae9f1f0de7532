package import Transport

/// The side of a walk that opens it: a joiner at its first sync, or a node whose root differs from a peer's.
package struct WalkInitiator: Walk {
    /// Rows whose digests are sent at once, about.
    package static let targetBatchRows: UInt64 = 4_096
    /// Buckets whose digests are sent at once, at most.
    package static let maxBatchBuckets = 256

    private enum State {
        case summing
        /// `isEmpty`: rows may come in key order.
        case opened(isEmpty: Bool)
        case comparingSums([WalkMessage.TopSums])
        case merging(then: AfterMerge)
        case loadingDigests
        /// Rows and then one wants message come.
        case batchSent
        case loadingWanted
        case finishing
        case over
    }

    private enum AfterMerge { case filling, batch }

    private let node: NodeID
    private var state = State.summing
    private var differing: [UInt16] = []
    private var nextDiffering = 0
    private var batchBuckets = 1
    private var outcome = WalkOutcome()

    /// `node`: this node's id, by which a donor notices a copied database.
    package init(node: NodeID) { self.node = node }

    package mutating func begin() -> WalkTurn { WalkTurn(then: .ask(.topSums)) }

    package mutating func answered(_ answer: WalkAnswer) throws(WalkFailure) -> WalkTurn {
        switch (state, answer) {
        case (.summing, .topSums(let top)):
            let summary = top.summary
            state = .opened(isEmpty: summary.count == 0)
            let perBucket = summary.count / UInt64(HashTree.bucketCount) + 1
            batchBuckets = Int(max(1, min(UInt64(Self.maxBatchBuckets), Self.targetBatchRows / perBucket)))
            let open = WalkMessage.Open(
                lowestVersion: WalkMessage.versions.lowerBound, highestVersion: WalkMessage.versions.upperBound,
                node: node, summary: summary, topSums: summary.count == 0 ? [] : top.sums)
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
            state = .batchSent
            return WalkTurn(sending: [WalkMessage.digests(digests).encoded()], then: .receive)
        case (.loadingWanted, .rows(let rows)):
            outcome.sentCount += rows.count
            var turn = nextBatch()
            turn.messages = WalkMessage.rowMessages(rows) + [WalkMessage.rows([]).encoded()] + turn.messages
            return turn
        default: throw .unexpectedMessage
        }
    }

    package mutating func received(_ message: WalkMessage) throws(WalkFailure) -> WalkTurn {
        if case .refusal(let refusal) = message { throw .refused(refusal) }
        switch (state, message) {
        case (.opened, .done(let isSynced)), (.finishing, .done(let isSynced)):
            state = .over
            outcome.isPeerSynced = isSynced
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
            state = .merging(then: .batch)
            return WalkTurn(then: .ask(.merge(rows)))
        case (.batchSent, .wants(let wants)):
            guard wants.count <= Self.maxBatchBuckets,
                zip(wants, wants.dropFirst()).allSatisfy({ $0.bucket < $1.bucket })
            else { throw .unexpectedMessage }
            state = .loadingWanted
            return WalkTurn(then: .ask(.rows(wants)))
        default: throw .unexpectedMessage
        }
    }

    private mutating func nextBatch() -> WalkTurn {
        guard nextDiffering < differing.count else {
            state = .finishing
            return WalkTurn(sending: [WalkMessage.finish.encoded()], then: .receive)
        }
        let end = min(nextDiffering + batchBuckets, differing.count)
        defer { nextDiffering = end }
        state = .loadingDigests
        return WalkTurn(then: .ask(.digests(buckets: Array(differing[nextDiffering..<end]))))
    }
}
