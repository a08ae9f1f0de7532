internal import Transport

/// When the transport and replication hear that the members have changed.
///
/// In a small cluster at once, before anything else of the same input goes out: what it has to tell is for newcomers too.
/// In a large one the changes of a moment share one turn, since each turn costs as much as there are peers.
struct PeerChanges: Sendable {
    /// Living members up to which each change is told at once.
    static let maxPromptPeers = 64
    /// How long changes are gathered beyond it.
    static let delay: Duration = .milliseconds(10)

    /// When the gathered changes are told; `nil` when there are none.
    private(set) var deadline: EngineInstant?

    /// Something has changed. `true`: tell it now.
    mutating func note(peerCount: Int, at now: EngineInstant) -> Bool {
        guard peerCount > Self.maxPromptPeers else {
            deadline = nil
            return true
        }
        if deadline == nil { deadline = now + Self.delay }
        return false
    }

    /// Whether gathered changes are to be told now. Once.
    mutating func takeDue(at now: EngineInstant) -> Bool {
        guard let deadline, deadline <= now else { return false }
        self.deadline = nil
        return true
    }
}
