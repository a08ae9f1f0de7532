internal import Transport

/// The rate of pings to members known by hearsay: so many in each interval, in large clusters more for members that other
/// members speak of.
struct ConfirmationLane: Sendable {
    /// So many members allow one ping more in each interval: a thousand that start together would otherwise take a quarter
    /// of a minute to meet.
    private static let membersPerPing = 8

    private let configuration: MembershipConfiguration
    private var intervalEnd = EngineInstant.zero
    private var pingsLeft = 0
    private var plainPingsLeft = 0
    private var isTimerSet = false

    init(_ configuration: MembershipConfiguration) { self.configuration = configuration }

    /// Most pings in an interval.
    static func maxPings(_ configuration: MembershipConfiguration, clusterSize: Int) -> Int {
        max(configuration.confirmationsPerInterval, clusterSize / membersPerPing)
    }

    /// Begins an interval if the last one is over.
    mutating func enter(_ now: EngineInstant, clusterSize: Int) {
        guard now >= intervalEnd else { return }
        intervalEnd = now + configuration.confirmationInterval
        plainPingsLeft = configuration.confirmationsPerInterval
        pingsLeft = Self.maxPings(configuration, clusterSize: clusterSize)
    }

    /// Some pings are left in this interval.
    var hasPings: Bool { pingsLeft > 0 }

    /// Takes a ping. Hearsay from anyone (`isPlain`) stays at the pace of a small cluster.
    mutating func takePing(isPlain: Bool) -> Bool {
        guard pingsLeft > 0, !isPlain || plainPingsLeft > 0 else { return false }
        pingsLeft -= 1
        if isPlain { plainPingsLeft -= 1 }
        return true
    }

    /// When a timer is to be set for those that still wait; `nil` while one is set.
    mutating func takeTimer() -> EngineInstant? {
        guard !isTimerSet else { return nil }
        isTimerSet = true
        return intervalEnd
    }

    /// The timer that `takeTimer` asked for was due.
    mutating func timerFired() { isTimerSet = false }
}
