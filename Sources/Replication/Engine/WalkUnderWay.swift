internal import Transport

/// A walk that this node leads.
struct WalkUnderWay: Hashable, Sendable {
    /// Which stream of the peer was followed when the walk began: a peer that is started anew begins another.
    let start: UInt64?
    /// The end of that stream then: everything up to there is here when the walk ends.
    let end: UInt64?
    /// Losses of that stream so far: later ones are not repaired by this walk.
    let lossCount: Int

    let began: EngineInstant
    /// What the peer's answer covers of all streams.
    var heads: [ReplicationMessage.StreamHead] = []

    init(of followed: FollowedStream?, at now: EngineInstant) {
        began = now
        start = followed?.start
        end = followed?.window.end
        lossCount = followed?.window.lossCount ?? 0
    }
}
