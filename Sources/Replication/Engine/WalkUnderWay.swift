/// A walk that this node leads.
struct WalkUnderWay: Hashable, Sendable {
    /// The peer's stream when the walk began, if it was followed: everything up to there is here when the walk ends.
    let end: UInt64?
    /// Losses of that stream so far: later ones are not repaired by this walk.
    let lossCount: Int

    init(of followed: FollowedStream?) {
        end = followed?.window.end
        lossCount = followed?.window.lossCount ?? 0
    }
}
