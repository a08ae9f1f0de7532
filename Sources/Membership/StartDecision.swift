/// How a node begins its life.
package enum StartDecision: String, Hashable, Sendable {
    /// There is no other, or all refuse: this node is the cluster.
    case first
    /// Somebody answered.
    case joined
    /// `joinTimeout` has passed, and somebody may be there who did not answer. Tries go on.
    case alone
}
