/// A hybrid logical clock: close to wall time, later than what this node has issued or merged, and not going back with the
/// wall clock.
///
/// A clock that was wrong leads nobody astray for longer than it was wrong. Stamps that are ahead of the wall are merged,
/// and this clock does not follow them: only a write to the same row is stamped later than they are (`next(_:after:)`). And
/// where this clock itself was led ahead, it goes back as soon as the clocks of the cluster confirm the wall time. Two
/// writes to one row therefore never bear one stamp, nor a stamp of before; two writes to two rows may.
///
/// A value; whoever owns it passes wall time in. Across restarts the owner keeps `bound` durable: see `reserve`.
package struct HybridClock: Sendable {
    /// How far ahead of the wall clock `reserve` moves the durable bound. Shorter than the skew that is allowed (2 s), since
    /// a restarted node continues from the bound; long enough that the bound costs one small write a second.
    package static let reservationMilliseconds: Int64 = 1_000
    /// The least that is reserved, when the clock is ahead of the wall already: so much, not a second, is what each of
    /// many crashes in a row adds.
    package static let leastReservationMilliseconds: Int64 = 20
    /// This clock is ahead of the wall by what others' clocks and the reservation add; by more only if it was led astray.
    private static let maxLeadMilliseconds =
        2 * (WallReading.allowedSkewMilliseconds + reservationMilliseconds)

    /// The latest time that was issued or observed, but for those that were ahead.
    package private(set) var latest: HybridTime
    /// No time beyond this may be issued before a later bound is durable.
    package private(set) var bound: HybridTime
    private var wallMilliseconds: Int64 = 0

    /// `bound` is the durable bound of the earlier life of this clock.
    package init(bound: HybridTime) {
        latest = bound
        self.bound = bound
    }

    /// A time for a write: later than all before, and later than `stored`, the greatest stamp of the row that is written.
    /// When the counter of a millisecond is used up the clock runs ahead of the wall.
    package mutating func next(_ wall: WallReading, after stored: HybridTime = .zero) -> HybridTime {
        wallMilliseconds = wall.milliseconds
        let wallTime = HybridTime(milliseconds: min(wall.milliseconds, Row.createdRange.upperBound))
        if wall.isConfirmed, wall.lead(of: latest) > Self.maxLeadMilliseconds { latest = .zero }
        observe(stored, at: wall)
        latest = wallTime > latest ? wallTime : latest.successor
        return stored < latest ? latest : Self.time(after: stored, wall)
    }

    /// Beyond a time that is ahead. The counter is of the wall clock: should this write be lost with the disk's last moments,
    /// the next one has another stamp.
    private static func time(after stored: HybridTime, _ wall: WallReading) -> HybridTime {
        guard stored.milliseconds < HybridTime.maxMilliseconds else { return stored.successor }
        return HybridTime(
            milliseconds: stored.milliseconds + 1, counter: UInt16(truncatingIfNeeded: wall.milliseconds))
    }

    /// Notes a time that came from elsewhere: what is issued from now on is later. One that is ahead of the wall is not
    /// followed.
    package mutating func observe(_ time: HybridTime, at wall: WallReading) {
        if !wall.isAhead(time) { latest = max(latest, time) }
    }

    /// The new bound to make durable, in the same transaction as the stamps, if the latest time has passed the old one or
    /// has gone back.
    package mutating func reserve() -> HybridTime? {
        let isFar = bound.milliseconds - latest.milliseconds > Self.maxLeadMilliseconds
        guard latest > bound || isFar else { return nil }
        let (ahead, overflow) = latest.milliseconds.subtractingReportingOverflow(wallMilliseconds)
        let room = overflow ? 0 : Self.reservationMilliseconds - min(max(ahead, 0), Self.reservationMilliseconds)
        bound = HybridTime(milliseconds: latest.milliseconds + max(room, Self.leastReservationMilliseconds))
        return bound
    }
}
