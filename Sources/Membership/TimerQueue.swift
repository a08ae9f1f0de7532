package import Transport

/// A binary heap of what is to be done when; at equal instants first in, first out, so that runs repeat exactly.
///
/// Entries are not removed when they lose their meaning: whoever takes one checks whether it still holds. `compact`
/// throws the dead ones out.
package struct TimerQueue<Timer: Sendable>: Sendable {
    private struct Entry: Sendable {
        let instant: EngineInstant
        let order: UInt64
        let timer: Timer

        func precedes(_ other: Entry) -> Bool {
            instant == other.instant ? order < other.order : instant < other.instant
        }
    }

    private var heap: [Entry] = []
    private var nextOrder: UInt64 = 0

    /// An empty queue.
    package init() {}

    /// Timers waiting, those that lost their meaning included.
    package var count: Int { heap.count }
    /// When the first timer is due.
    package var earliest: EngineInstant? { heap.first?.instant }

    /// Adds a timer, behind those of the same instant.
    package mutating func add(_ timer: Timer, at instant: EngineInstant) {
        nextOrder += 1
        heap.append(Entry(instant: instant, order: nextOrder, timer: timer))
        siftUp(heap.count - 1)
    }

    /// The first timer that is due at `now`.
    package mutating func takeDue(at now: EngineInstant) -> Timer? {
        guard let first = heap.first, first.instant <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown(0)
        }
        return first.timer
    }

    /// Keeps only the timers that `isNeeded` holds for.
    package mutating func compact(_ isNeeded: (Timer) -> Bool) {
        heap.removeAll { !isNeeded($0.timer) }
        // A sorted array is a heap.
        heap.sort { $0.precedes($1) }
    }

    private mutating func siftUp(_ index: Int) {
        var child = index
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ index: Int) {
        var parent = index
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].precedes(heap[smallest]) { smallest = child }
            guard smallest != parent else { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
