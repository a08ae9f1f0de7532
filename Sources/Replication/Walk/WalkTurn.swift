/// What one side of a walk does next: first send, then one thing of `Next`.
package struct WalkTurn: Hashable, Sendable {
    package enum Next: Hashable, Sendable {
        /// Ask the store, then call `answered`.
        case ask(WalkQuestion)
        /// Wait for the peer's next message, then call `received`.
        case receive
        /// The walk is over.
        case finished(WalkOutcome)
    }

    package var messages: [[UInt8]]
    package var next: Next

    package init(sending messages: [[UInt8]] = [], then next: Next) {
        self.messages = messages
        self.next = next
    }
}

/// One side of a walk: a value that the App drives over an exchange and the simulator over a model of one.
///
/// Carry out each turn, then call `received` or `answered` as it says. A throw ends the walk; what was merged stays.
package protocol Walk: Sendable {
    mutating func begin() -> WalkTurn
    mutating func received(_ message: WalkMessage) throws(WalkFailure) -> WalkTurn
    mutating func answered(_ answer: WalkAnswer) throws(WalkFailure) -> WalkTurn
    /// The store could not answer. `nil`: the walk ends with this.
    mutating func storeFailed() -> WalkTurn?
}

package enum WalkFailure: Error, Hashable, Sendable {
    /// The peer sent something that has no place here.
    case unexpectedMessage
    case refused(WalkMessage.Refusal)
}

/// What a walk brought.
package struct WalkOutcome: Hashable, Sendable {
    /// The other side says that it has everything (donor only).
    package var isPeerSynced = false
    /// The other side has stored all that it was sent (donor only).
    package var hasPeerAll = true
    /// Why there was none: the other side was told.
    package var refusal: WalkMessage.Refusal?
    /// Rows that were news here.
    package var mergedCount = 0
    /// Rows that came, news or not.
    package var receivedCount = 0
    package var sentCount = 0
    /// Rows merged whose stamps are further ahead of this node's clock than right clocks make them.
    package var aheadCount = 0
    package var furthestAhead: Stamp?
    /// Rows not merged for another reason.
    package var passedOverCount = 0
    /// Merges that the store here could not carry out.
    package var failedMergeCount = 0
    /// How often this side spoke and then waited for the other. Whoever carries out the turns counts them.
    package var roundTrips = 0

    package init() {}

    /// Everything that came is here.
    package var isWhole: Bool { passedOverCount == 0 && failedMergeCount == 0 }

    /// Something differed and was repaired. A row that is left out is sent in vain, since the peer has a later one.
    package var isProductive: Bool { mergedCount > 0 || sentCount > passedOverCount }

    package mutating func note(_ merge: MergeOutcome) {
        receivedCount += merge.isNews.count
        mergedCount += merge.isNews.count { $0 }
        aheadCount += merge.aheadCount
        passedOverCount += merge.passedOverCount
        if let stamp = merge.furthestAhead { furthestAhead = max(furthestAhead ?? stamp, stamp) }
    }
}
