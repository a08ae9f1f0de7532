/// A promise that was broken.
package struct Violation: Hashable, Sendable, CustomStringConvertible {
    /// The promise.
    package enum Checker: String, Sendable, CaseIterable {
        /// An acknowledged write is neither there nor superseded.
        case lostWrite = "lost write"
        /// A todo is there although it was deleted, and not created again since.
        case resurrection
        /// A replica holds what nobody wrote.
        case inventedWrite = "invented write"
        /// Replicas differ after everything was well for long enough.
        case notEqual = "not equal"
        /// Equal replicas with other fingerprints, or the other way round.
        case fingerprint
        /// A member that was up, reachable and not paused for more than 3 s was declared failed.
        case falseFailure = "false failure"
        /// A member that was well and reachable, if only by way of others, was suspected though no packet was lost.
        case falseSuspicion = "false suspicion"
        /// A member is not seen as alive although everything has been well.
        case notWhole = "not whole"
        /// A node shows less than it has shown, or than it has told a client.
        case view
        /// A node said that it is synced, or lags by nothing behind another, without what that one has had for long.
        case sync
        /// A node served clients as synced without what all other open nodes had when it started.
        case staleStart = "stale start"
        /// A node is not open although it was well for long, and could reach an open one.
        case lateStart = "late start"
        /// A node left saying that others have everything that it had acknowledged, and they do not.
        case leaving
        /// A write was not everywhere soon enough although nothing but packets was lost.
        case lateWrite = "late write"
        /// The store failed though its disk did not, or SQLite finds its files damaged.
        case store
        case queueBound = "queue bound"
        case memoryBound = "memory bound"
        /// A stamp or a start that is not later than an earlier one of the same node, or than what the write replaced; or a
        /// stamp far from the true time of a node that hears the clocks that are right.
        case clock
        /// Of two acknowledged writes to one register, far apart, the later is superseded by the earlier.
        case disorder
    }

    package var checker: Checker
    package var detail: String
    /// Virtual time since the start of the run.
    package var at: Duration

    package var description: String { "\(checker.rawValue) at \(at): \(detail)" }
}
