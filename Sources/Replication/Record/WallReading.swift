/// What this node takes the wall time to be.
package struct WallReading: Hashable, Sendable {
    /// How far apart the clocks of a cluster may be. It covers what NTP leaves, and the way of a message.
    package static let allowedSkewMilliseconds: Int64 = 2_000

    /// Since 1970, as held to what the clocks of the other nodes show; see `ClockHold`.
    package var milliseconds: Int64
    /// The clocks of the cluster agree on it: a stamp that is later by far is from a clock that was wrong.
    package var isConfirmed: Bool
    /// What is told to people: the time as held where it is confirmed, else what this node's own clock shows.
    package var shownMilliseconds: Int64

    /// `ownMilliseconds`: what this node's own clock shows, where that is not the same.
    package init(milliseconds: Int64, isConfirmed: Bool = false, ownMilliseconds: Int64? = nil) {
        self.milliseconds = milliseconds
        self.isConfirmed = isConfirmed
        shownMilliseconds = isConfirmed ? milliseconds : ownMilliseconds ?? milliseconds
    }

    /// Whether a stamp of that time is later than clocks that are right can have made it.
    package func isAhead(_ time: HybridTime) -> Bool { lead(of: time) > Self.allowedSkewMilliseconds }

    /// How much later the time is, in milliseconds.
    func lead(of time: HybridTime) -> Int64 {
        let (lead, overflow) = time.milliseconds.subtractingReportingOverflow(milliseconds)
        return overflow ? .max : lead
    }
}
