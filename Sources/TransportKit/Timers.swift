internal import HeapModule

/// Deadlines by key, the earliest first. One deadline per key; a later `set` of the same key replaces the earlier.
///
/// An owner reads what has come before it asks for what is due: an answer that is there is no silence, however late the
/// owner looks.
public struct Timers<Key: Hashable & Sendable>: Sendable {
    private struct Entry: Comparable, Sendable {
        var instant: ContinuousClock.Instant
        /// Which `set` made it: those before the last one of a key are stale.
        var number: UInt64
        var key: Key

        static func < (left: Self, right: Self) -> Bool {
            (left.instant, left.number) < (right.instant, right.number)
        }
        static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    }

    private var heap = Heap<Entry>()
    private var numbers: [Key: UInt64] = [:]
    private var lastNumber: UInt64 = 0

    /// With no deadline.
    public init() {}

    /// How many keys have a deadline.
    public var count: Int { numbers.count }

    /// Sets the deadline of `key`.
    public mutating func set(_ key: Key, at instant: ContinuousClock.Instant) {
        lastNumber += 1
        numbers[key] = lastNumber
        heap.insert(Entry(instant: instant, number: lastNumber, key: key))
        // Stale entries never outnumber the others by much.
        if heap.count > 2 * numbers.count + 64 {
            let current = heap.unordered.filter { numbers[$0.key] == $0.number }
            heap = Heap(current)
        }
    }

    /// Takes the deadline of `key` away, where there is one.
    public mutating func cancel(_ key: Key) { numbers[key] = nil }

    /// The earliest deadline; `nil` when there is none.
    public mutating func earliest() -> ContinuousClock.Instant? {
        while let first = heap.min {
            if numbers[first.key] == first.number { return first.instant }
            heap.removeMin()
        }
        return nil
    }

    /// Takes one key whose deadline has passed; `nil` when there is none.
    public mutating func popDue(at now: ContinuousClock.Instant) -> Key? {
        guard let instant = earliest(), instant <= now, let first = heap.popMin() else { return nil }
        numbers[first.key] = nil
        return first.key
    }
}
