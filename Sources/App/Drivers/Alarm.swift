internal import Transport

/// Wakes one task at an engine's next deadline, which may come nearer while the task sleeps.
final class Alarm: Sendable {
    private let clock: EngineClock
    private let rings = BatchQueue<Void>(maxCount: 1)

    init(clock: EngineClock) { self.clock = clock }

    /// The deadline may have come nearer: look again.
    func touch() { rings.append([()]) }

    /// Returns at `deadline`, or earlier after `touch` or when the task is cancelled. `nil`: waits for `touch` only.
    func wait(until deadline: EngineInstant?) async {
        guard let deadline else {
            _ = await rings.next()
            return
        }
        if deadline <= clock.now { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [clock] in try? await clock.sleep(until: deadline) }
            group.addTask { [rings] in _ = await rings.next() }
            await group.next()
            group.cancelAll()
        }
    }
}
