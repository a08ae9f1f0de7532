internal import Transport

/// The engine's own clock, which stands still while the process did, and the timers on it.
///
/// An input that comes later than a deadline by more than a threshold shows a pause of the process: all timers move by it.
/// The clock then falls a little behind the earliest deadline, so that unread input is handled before that deadline.
struct OwnClock<Timer: Sendable>: Sendable {
    /// The time as of the last input.
    private(set) var time: EngineInstant
    private var pauses: Duration = .zero
    private let threshold: Duration
    private let grace: Duration
    private var timers = TimerQueue<Timer>()

    init(at now: EngineInstant, pauseThreshold: Duration, pauseGrace: Duration) {
        time = now
        threshold = pauseThreshold
        grace = pauseGrace
    }

    /// The own time at `outside`, which is on the clock of the process.
    func ownTime(at outside: EngineInstant) -> EngineInstant { outside + (.zero - pauses) }

    /// The process's time at `own`, which is on this clock.
    func outsideTime(at own: EngineInstant) -> EngineInstant { own + pauses }

    /// Moves on to `outside`. Returns how late the process is for `deadline`, which is on this clock, if that shows a pause.
    mutating func enter(_ outside: EngineInstant, deadline: EngineInstant?) -> Duration? {
        time = ownTime(at: outside)
        guard let deadline, time - deadline > threshold else { return nil }
        let lateness = time - deadline
        pauses += lateness + grace
        time = ownTime(at: outside)
        return lateness
    }

    // MARK: - Timers

    /// When the first timer is due, on this clock.
    var earliestTimer: EngineInstant? { timers.earliest }

    /// Timers waiting, those that lost their meaning included.
    var timerCount: Int { timers.count }

    mutating func add(_ timer: Timer, at instant: EngineInstant) { timers.add(timer, at: instant) }

    mutating func add(_ timer: Timer, in delay: Duration) { timers.add(timer, at: time + delay) }

    /// The first timer that is due.
    mutating func takeDue() -> Timer? { timers.takeDue(at: time) }

    /// Keeps only the timers that `isNeeded` holds for.
    mutating func compact(_ isNeeded: (Timer) -> Bool) { timers.compact(isNeeded) }
}
