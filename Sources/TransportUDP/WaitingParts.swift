/// Parts of one channel on their way to particular peers, each held once however many peers it goes to.
///
/// Bounded by bytes: beyond, the oldest part is dropped for all peers that have not had it.
struct WaitingParts: Sendable {
    private struct Entry: Sendable {
        var part: [UInt8]
        var key: String?
        /// Peers that still wait for it.
        var readers: Int
        /// How often it counts as sent once all have had it, where it is to be repeated then.
        var transmits: Int?
    }

    /// A broadcast that has gone to all peers it was meant for at once, and is to be repeated.
    struct Repetition: Sendable {
        var part: [UInt8]
        var key: String?
        var transmits: Int
    }

    /// What an entry counts besides its part.
    private static let entryBytes = 64

    private let maxBytes: Int
    /// Entries by number, those from `firstNumber` on; `nil` where all readers are served.
    private var entries: [Entry?] = []
    private var head = 0
    private var firstNumber = 0
    private var numberByKey: [String: Int] = [:]
    private(set) var bytes = 0
    /// Deliveries (a part to a peer) that are left.
    private(set) var deliveries = 0
    /// Deliveries (a part to a peer) that were dropped for room since the start.
    private(set) var droppedCount = 0

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Adds a part that `readers` peers will take, and gives its number. A waiting part with the same key goes.
    /// `isRepeated` asks `release` to give it back after the last.
    mutating func add(_ part: [UInt8], key: String?, readers: Int, isRepeated: Bool) -> Int {
        if let key { removeReplaced(by: key) }
        let number = firstNumber + entries.count - head
        entries.append(Entry(part: part, key: key, readers: readers, transmits: isRepeated ? readers : nil))
        if let key { numberByKey[key] = number }
        bytes += part.count + Self.entryBytes
        deliveries += readers
        while bytes > maxBytes, head < entries.count {
            if let oldest = entries[head] { droppedCount += oldest.readers }
            remove(firstNumber)
        }
        return number
    }

    /// The part, while it is still there: it may have been replaced or dropped.
    func part(_ number: Int) -> [UInt8]? {
        number >= firstNumber ? entries[head + number - firstNumber]?.part : nil
    }

    /// One reader has taken the part. After the last one it is gone from here; gives what is to be repeated.
    mutating func release(_ number: Int) -> Repetition? {
        guard number >= firstNumber, let entry = entries[head + number - firstNumber] else { return nil }
        if entry.readers > 1 {
            deliveries -= 1
            entries[head + number - firstNumber]?.readers -= 1
            return nil
        }
        remove(number)
        return entry.transmits.map { Repetition(part: entry.part, key: entry.key, transmits: $0) }
    }

    /// A newer message with this key makes the waiting one pointless.
    mutating func removeReplaced(by key: String) {
        if let older = numberByKey[key] { remove(older) }
    }

    private mutating func remove(_ number: Int) {
        let index = head + number - firstNumber
        guard number >= firstNumber, index < entries.count, let entry = entries[index] else { return }
        entries[index] = nil
        bytes -= entry.part.count + Self.entryBytes
        deliveries -= entry.readers
        if let key = entry.key, numberByKey[key] == number { numberByKey[key] = nil }
        while head < entries.count, entries[head] == nil {
            head += 1
            firstNumber += 1
        }
        if head == entries.count {
            entries.removeAll(keepingCapacity: head <= 1_024)
            head = 0
        } else if head > 256 && head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
    }
}
