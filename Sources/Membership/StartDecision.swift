/// How a node begins its life.
package enum StartDecision: String, Hashable, Sendable {
    /// This node is the cluster: there is nobody else to look for, an operator said so, or a node without data has waited for
    /// others as long as it may.
    case first
    /// Somebody answered.
    case joined
    /// All others refuse, and may have more than this node has.
    case refused
    /// `joinTimeout` has passed, and somebody may be there who did not answer. Tries go on.
    case alone
}
