internal import Replication
internal import Runtime
internal import Transport

/// The wall clock as the store reads it: held to what the core has learnt of the clocks of the cluster.
final class HeldClock: Sendable {
    let engine = EngineClock()
    private let hold = LockedBox(ClockHold.none)

    var reading: WallReading { hold.value.reading(WallClock.milliseconds(), at: engine.now) }

    func set(_ newHold: ClockHold) { hold.value = newHold }
}
