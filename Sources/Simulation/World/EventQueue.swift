internal import Transport

/// What happens when: at equal instants first in, first out, as in `TimerQueue`. Events stay where they are while their
/// places are sorted: moving them took a fifth of a run.
struct EventQueue<Event> {
    private struct Entry {
        let instant: EngineInstant
        /// Counts all entries there ever were.
        let number: UInt64
        let place: Int

        func isBefore(_ other: Entry) -> Bool {
            instant == other.instant ? number < other.number : instant < other.instant
        }
    }

    /// A binary heap, the first one on top.
    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var freePlaces: [Int] = []
    private var addedCount: UInt64 = 0

    /// When the first event is due.
    var earliest: EngineInstant? { heap.first?.instant }

    mutating func add(_ event: Event, at instant: EngineInstant) {
        addedCount += 1
        let place: Int
        if let free = freePlaces.popLast() {
            place = free
            events[free] = event
        } else {
            place = events.count
            events.append(event)
        }
        heap.append(Entry(instant: instant, number: addedCount, place: place))
        rise(from: heap.count - 1)
    }

    /// The first event that is due at `now`.
    mutating func takeDue(at now: EngineInstant) -> Event? {
        guard let first = heap.first, first.instant <= now, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        freePlaces.append(first.place)
        return events[first.place].take()
    }

    private mutating func rise(from start: Int) {
        let entry = heap[start]
        var index = start
        while index > 0, entry.isBefore(heap[(index - 1) / 2]) {
            heap[index] = heap[(index - 1) / 2]
            index = (index - 1) / 2
        }
        heap[index] = entry
    }

    /// Puts an entry on top, and lets it down to where it belongs.
    private mutating func sink(_ entry: Entry) {
        var index = 0
        while 2 * index + 1 < heap.count {
            var child = 2 * index + 1
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(entry) else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = entry
    }
}
