public import Transport

/// A binary heap of what is to be done when; at equal instants first in, first out, so that runs repeat exactly.
///
/// Entries are not removed when they lose their meaning: whoever takes one checks whether it still holds. `compact`
/// throws the dead ones out. Public and inlinable, since other modules get one made for their kind of timer only so.
public struct TimerQueue<Timer: Sendable>: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline let instant: EngineInstant
        @usableFromInline let order: UInt64
        @usableFromInline let timer: Timer

        @inlinable init(instant: EngineInstant, order: UInt64, timer: Timer) {
            self.instant = instant
            self.order = order
            self.timer = timer
        }

        @inlinable func precedes(_ other: Entry) -> Bool {
            instant == other.instant ? order < other.order : instant < other.instant
        }
    }

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var nextOrder: UInt64 = 0

    /// An empty queue.
    @inlinable public init() {}

    /// Timers waiting, those that lost their meaning included.
    @inlinable public var count: Int { heap.count }
    /// When the first timer is due.
    @inlinable public var earliest: EngineInstant? { heap.first?.instant }

    /// Adds a timer, behind those of the same instant.
    @inlinable public mutating func add(_ timer: Timer, at instant: EngineInstant) {
        nextOrder += 1
        heap.append(Entry(instant: instant, order: nextOrder, timer: timer))
        siftUp(heap.count - 1)
    }

    /// The first timer that is due at `now`.
    @inlinable public mutating func takeDue(at now: EngineInstant) -> Timer? {
        guard let first = heap.first, first.instant <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown(0)
        }
        return first.timer
    }

    /// Keeps only the timers that `isNeeded` holds for.
    @inlinable public mutating func compact(_ isNeeded: (Timer) -> Bool) {
        heap.removeAll { !isNeeded($0.timer) }
        // A sorted array is a heap.
        heap.sort { $0.precedes($1) }
    }

    @inlinable mutating func siftUp(_ index: Int) {
        var child = index
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable mutating func siftDown(_ index: Int) {
        var parent = index
        while true {
            var smallest = parent
            let left = 2 * parent + 1
            if left < heap.count, heap[left].precedes(heap[smallest]) { smallest = left }
            if left + 1 < heap.count, heap[left + 1].precedes(heap[smallest]) { smallest = left + 1 }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
