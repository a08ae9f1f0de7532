internal import Transport

/// What a peer's heartbeats say, and how that compares with this node.
struct PeerReport: Hashable, Sendable {
    /// Heartbeats in a row that contradict what is believed of the peer's stream, before the stream is followed anew: one
    /// may just be late.
    private static let maxContradictions = 3

    private(set) var isHeard = false
    /// When its last heartbeat came, or it became a peer.
    private var lastSign: EngineInstant?
    private(set) var summary: TreeSummary?
    private(set) var isReady = false
    private(set) var isSynced = false
    /// All that it has came from others.
    private(set) var isBlank = false
    /// Of whom it is a witness, as its heartbeat told.
    private(set) var witness: UInt64?
    /// Since when it has been that.
    private(set) var witnessSince: EngineInstant?
    /// Everything that it had is here, or was once since this node started: a walk or equal roots have shown it.
    private(set) var hasMatched = false
    /// When its root first differed from ours although all it had sent was here, if it still does.
    private(set) var differsSince: EngineInstant?
    private var lastHead: UInt64?
    private var contradictions = 0

    /// It is a peer from now on.
    mutating func began(at now: EngineInstant) { lastSign = now }

    /// How long nothing has been heard of it.
    func silence(at now: EngineInstant) -> Duration { lastSign.map { now - $0 } ?? .zero }

    /// `isUpToDate`: all that it has sent is here and merged.
    mutating func note(
        _ heartbeat: ReplicationMessage.Heartbeat, own: TreeSummary, isUpToDate: Bool, at now: EngineInstant
    ) {
        isHeard = true
        lastSign = now
        summary = heartbeat.summary
        (isReady, isSynced, isBlank) = (heartbeat.isReady, heartbeat.isSynced, heartbeat.isBlank)
        if witness != heartbeat.witness { witnessSince = now }
        witness = heartbeat.witness
        if heartbeat.summary == own {
            hasMatched = true
            differsSince = nil
        } else if heartbeat.isReady && isUpToDate {
            // A peer that is syncing differs for good reason, and one whose messages are under way would soon agree.
            differsSince = differsSince ?? now
        }
    }

    /// A walk with the peer has ended well. `isComplete`: everything that it had is here; else both still differ.
    mutating func walkEnded(isComplete: Bool) {
        guard isComplete else { return }
        differsSince = nil
        hasMatched = true
    }

    /// Holds a heartbeat against what is believed of the peer's stream: `true` when the stream has to be followed anew. A
    /// window that goes beyond what its origin says of itself, or belongs to a start that the origin knows nothing of, was
    /// made by a forged message or by an older database put back.
    mutating func contradicts(_ heartbeat: ReplicationMessage.Heartbeat, _ followed: FollowedStream) -> Bool {
        let end = followed.window.end
        let isBehind = end > heartbeat.head
        let isFarBehind = isBehind && end - heartbeat.head > UInt64(StreamWindow.maxPending)
        let isBehindForLong = isBehind && lastHead == heartbeat.head
        let contradicts = followed.start != heartbeat.stream.start || isFarBehind || isBehindForLong
        contradictions = contradicts ? contradictions + 1 : 0
        lastHead = heartbeat.head
        guard contradictions >= Self.maxContradictions else { return false }
        contradictions = 0
        return true
    }
}
