internal import DequeModule
internal import Transport

/// Changes that have arrived and wait for the merge under way, bounded as a transport's queue is: the oldest go first.
struct Inbox: Sendable {
    /// What the queue of a plugin holds, in bytes.
    static let maxBytes = 16 * 1024 * 1024
    private static let entryBytes = 64

    private var arrivals = Deque<Arrival>()
    private var bytes = 0
    private(set) var droppedCount = 0

    var isEmpty: Bool { arrivals.isEmpty }
    var occupancy: Occupancy { Occupancy("bytes of changes waiting", bytes, limit: Self.maxBytes) }

    mutating func append(_ arrival: Arrival) {
        arrivals.append(arrival)
        bytes += arrival.message.count + Self.entryBytes
        while bytes > Self.maxBytes, let oldest = arrivals.popFirst() {
            bytes -= oldest.message.count + Self.entryBytes
            droppedCount += 1
        }
    }

    /// The oldest ones, at most `limit`.
    mutating func take(limit: Int) -> [Arrival] {
        var batch: [Arrival] = []
        while batch.count < limit, let arrival = arrivals.popFirst() {
            bytes -= arrival.message.count + Self.entryBytes
            batch.append(arrival)
        }
        return batch
    }
}
