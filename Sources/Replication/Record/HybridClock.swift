/// A hybrid logical clock: close to wall time, later than everything this node has issued or merged, and never going
/// back, whatever the wall clock does.
///
/// A value; whoever owns it passes wall time in. Across restarts the owner keeps `bound` durable: see `reserve`.
package struct HybridClock: Sendable {
    /// How far ahead of the wall clock `reserve` moves the durable bound. Shorter than the skew that other nodes accept
    /// (2 s), since a restarted node continues from the bound; long enough that the bound costs one small write a second.
    package static let reservationMilliseconds: Int64 = 1_000
    /// The least that is reserved, when the clock is ahead of the wall already: so much, not a second, is what each of
    /// many crashes in a row adds.
    package static let leastReservationMilliseconds: Int64 = 20

    /// The latest time that was issued or observed.
    package private(set) var latest: HybridTime
    /// No time beyond this may be issued before a later bound is durable.
    package private(set) var bound: HybridTime
    private var wallMilliseconds: Int64 = 0

    /// `bound` is the durable bound of the earlier life of this clock, `latest` the greatest stamp known.
    package init(bound: HybridTime, latest: HybridTime = .zero) {
        self.latest = max(bound, latest)
        self.bound = bound
    }

    /// A time greater than all before. When the counter of a millisecond is used up the clock runs ahead of the wall.
    package mutating func next(wallMilliseconds: Int64) -> HybridTime {
        self.wallMilliseconds = wallMilliseconds
        let wall = HybridTime(milliseconds: wallMilliseconds)
        // Adding one to the whole word carries a full counter into the milliseconds.
        latest = wall > latest ? wall : HybridTime(rawValue: latest.rawValue &+ 1)
        return latest
    }

    /// Notes a time that came from elsewhere: what is issued from now on is later.
    package mutating func observe(_ time: HybridTime) { latest = max(latest, time) }

    /// The new bound to make durable, in the same transaction as the stamps, if the latest time has passed the old one.
    package mutating func reserve() -> HybridTime? {
        guard latest > bound else { return nil }
        let (ahead, overflow) = latest.milliseconds.subtractingReportingOverflow(wallMilliseconds)
        let room = overflow ? 0 : Self.reservationMilliseconds - min(max(ahead, 0), Self.reservationMilliseconds)
        bound = HybridTime(milliseconds: latest.milliseconds + max(room, Self.leastReservationMilliseconds))
        return bound
    }
}
