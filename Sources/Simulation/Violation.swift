/// A promise that was broken.
package struct Violation: Hashable, Sendable, CustomStringConvertible {
    /// The promise.
    package enum Checker: String, Sendable, CaseIterable {
        /// An acknowledged write is neither there nor superseded.
        case lostWrite = "lost write"
        /// A replica holds what nobody wrote.
        case inventedWrite = "invented write"
        /// Replicas differ after everything was well for long enough.
        case notEqual = "not equal"
        /// Equal replicas with other fingerprints, or the other way round.
        case fingerprint
        /// A member that was up, reachable and not paused was declared failed.
        case falseFailure = "false failure"
        /// A member is not seen as alive although everything has been well.
        case notWhole = "not whole"
        case queueBound = "queue bound"
        case memoryBound = "memory bound"
        /// A stamp or a start that is not later than an earlier one of the same node.
        case clock
    }

    package var checker: Checker
    package var detail: String
    /// Virtual time since the start of the run.
    package var at: Duration

    package var description: String { "\(checker.rawValue) at \(at): \(detail)" }
}
