package import HeapModule
package import Transport

/// What is to be done when; at equal instants first in, first out, so that runs repeat exactly.
///
/// Timers are not removed when they lose their meaning: the caller checks whether a timer it takes still holds. `compact`
/// throws the dead ones out. Inlinable, so that the simulator gets a queue that is made for its events.
package struct TimerQueue<Timer: Sendable>: Sendable {
    @usableFromInline package struct Entry: Comparable, Sendable {
        @usableFromInline let instant: EngineInstant
        /// Counts all entries there ever were.
        @usableFromInline let number: UInt64
        @usableFromInline let timer: Timer

        @inlinable init(instant: EngineInstant, number: UInt64, timer: Timer) {
            self.instant = instant
            self.number = number
            self.timer = timer
        }

        @inlinable package static func < (left: Self, right: Self) -> Bool {
            left.instant == right.instant ? left.number < right.number : left.instant < right.instant
        }

        @inlinable package static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    }

    @usableFromInline var heap = Heap<Entry>()
    @usableFromInline var addedCount: UInt64 = 0

    /// An empty queue.
    @inlinable package init() {}

    /// Timers waiting, those that lost their meaning included.
    @inlinable package var count: Int { heap.count }
    /// When the first timer is due.
    @inlinable package var earliest: EngineInstant? { heap.min?.instant }

    /// Adds a timer, behind those of the same instant.
    @inlinable package mutating func add(_ timer: Timer, at instant: EngineInstant) {
        addedCount += 1
        heap.insert(Entry(instant: instant, number: addedCount, timer: timer))
    }

    /// The first timer that is due at `now`.
    @inlinable package mutating func takeDue(at now: EngineInstant) -> Timer? {
        guard let first = heap.min, first.instant <= now else { return nil }
        return heap.removeMin().timer
    }

    /// Keeps only the timers that `isNeeded` holds for.
    @inlinable package mutating func compact(_ isNeeded: (Timer) -> Bool) {
        heap.removeAll { !isNeeded($0.timer) }
    }
}
