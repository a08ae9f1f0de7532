internal import Replication
internal import Transport

/// What the clocks of the cluster make of this node's wall clock: when to look, and what has changed.
struct ClockGuard: Sendable {
    /// In larger clusters heartbeats come all the time, and what they say of clocks changes seldom.
    private static let promptPeers = 16
    private static let interval: Duration = .milliseconds(250)

    private var hold = ClockHold.none
    private(set) var state = ClockState.alone
    private var judgedAt = EngineInstant.zero

    /// After heartbeats. Effects where the store or an operator has to hear of it.
    mutating func judge(_ engine: ReplicationEngine, _ moment: Moment) -> [NodeCore.Effect] {
        guard engine.peers.count <= Self.promptPeers || moment.time - judgedAt >= Self.interval else { return [] }
        judgedAt = moment.time
        let (newHold, newState) = engine.judgeClock(wallMilliseconds: moment.wallMilliseconds, at: moment.time)
        var out: [NodeCore.Effect] = []
        if newHold.isFar(from: hold) {
            hold = newHold
            out.append(.holdClock(newHold))
        }
        if newState.isNews(after: state) {
            state = newState
            out.append(.emit(.clock(newState)))
        }
        return out
    }
}
