package import Transport

/// One node sees another as suspect or as failed, by its own probe or on somebody's word.
package struct Verdict: Hashable, Sendable {
    package let at: EngineInstant
    /// Indices of nodes.
    package let observer: Int
    package let member: Int
    /// Failed, or else suspected.
    package let hasFailed: Bool
}
