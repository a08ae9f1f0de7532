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
        case comparing
        case merging
        case over
    }

    private let node: NodeID
    private let isSynced: Bool
    private var state = State.waiting
    private var outcome = WalkOutcome()

    /// `isSynced`: whether this node has everything, which tells a joiner how much its answer is worth.
    package init(node: NodeID, isSynced: Bool) {
        self.node = node
        self.isSynced = isSynced
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
                zip(buckets, buckets.dropFirst()).allSatisfy({ $0.bucket < $1.bucket })
            else { throw .unexpectedMessage }
            state = .comparing
            return WalkTurn(then: .ask(.compare(buckets)))
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
            if open.summary == top.summary { return done() }
            if open.summary.count == 0 {
                state = .paging
                return WalkTurn(then: .ask(.page(after: nil, maxBytes: WalkMessage.targetBytes)))
            }
            let tops = zip(open.topSums, top.sums).enumerated().filter { $1.0 != $1.1 }.map { UInt8($0.offset) }
            return nextSums(tops)
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
        case (.comparing, .compare(let comparison)):
            state = .serving
            outcome.sentCount += comparison.rows.count
            let messages = WalkMessage.rowMessages(comparison.rows)
            return WalkTurn(sending: messages + [WalkMessage.wants(comparison.wanted).encoded()], then: .receive)
        case (.merging, .merge(let merge)):
            state = .serving
            outcome.note(merge)
            return WalkTurn(then: .receive)
        default: throw .unexpectedMessage
        }
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
        return WalkTurn(sending: [WalkMessage.done(isSynced: isSynced).encoded()], then: .finished(outcome))
    }

    private mutating func refuse(_ refusal: WalkMessage.Refusal) -> WalkTurn {
        state = .over
        outcome.refusal = refusal
        return WalkTurn(sending: [WalkMessage.refusal(refusal).encoded()], then: .finished(outcome))
    }
}
