internal import DequeModule
internal import Transport

/// Broadcasts of one channel that are still to be repeated, taken as memberlist does: those sent least often first,
/// among them the longest that fits, among those the newest.
///
/// A take costs the same however many wait: they stand by times sent and by length, and a bit per length tells which
/// lengths there are. Bounded by bytes: beyond, the oldest is dropped and counted.
struct BroadcastQueue: Sendable {
    private struct Entry: Sendable {
        var part: [UInt8]
        var key: String?
        var transmits: Int
        /// Every peer was sent it already: this is for those that lost it.
        var isEverywhere: Bool
    }

    /// What an entry counts besides its part.
    private static let entryBytes = 64

    /// Numbers of entries that are gone are forgotten when there are more of them than others, and so many more.
    private static let maxGone = 1_024

    private let maxBytes: Int
    private var entries: [Int: Entry] = [:]
    private var numberByKey: [String: Int] = [:]
    /// Where the numbers of the entries stand, by times sent. Those taken and not yet put back stand nowhere.
    private var buckets: [Bucket] = []
    /// Numbers by age; may name entries that are gone.
    private var age = Deque<Int>()
    private var taken: [Int] = []
    private var nextNumber = 0
    /// Numbers that stand in buckets, those of entries that are gone among them: they are skipped when their turn comes,
    /// since looking for each would cost as much as there are others of its length.
    private var filedCount = 0
    private(set) var bytes = 0
    /// Entries dropped for room since the start that some peers were never sent.
    private(set) var droppedCount = 0

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// Adds a part that was sent `transmits` times already, `isEverywhere`: to every peer. A queued part with the same key
    /// goes.
    mutating func add(_ part: [UInt8], key: String?, transmits: Int, isEverywhere: Bool = false) {
        if let key { removeReplaced(by: key) }
        let number = nextNumber
        nextNumber += 1
        entries[number] = Entry(part: part, key: key, transmits: transmits, isEverywhere: isEverywhere)
        if let key { numberByKey[key] = number }
        bytes += part.count + Self.entryBytes
        age.append(number)
        file(number, length: part.count, transmits: transmits)
        while bytes > maxBytes, let oldest = age.popFirst() {
            if let dropped = remove(oldest), !dropped.isEverywhere { droppedCount += 1 }
        }
        if age.count > 2 * entries.count + 64 { age.removeAll { entries[$0] == nil } }
    }

    /// A newer message with this key makes the queued one pointless, also when the newer one is not queued itself.
    mutating func removeReplaced(by key: String) {
        if let older = numberByKey[key] { remove(older) }
    }

    /// Takes the best part of at most `length` bytes; it is not taken again until `putBack`.
    mutating func take(atMost length: Int) -> [UInt8]? {
        guard length > 0 else { return nil }
        for transmits in buckets.indices {
            while let number = buckets[transmits].take(atMost: length) {
                filedCount -= 1
                guard let entry = entries[number] else { continue }
                taken.append(number)
                return entry.part
            }
        }
        return nil
    }

    /// Files what was taken again with one transmission more, and forgets what has reached `limit`.
    mutating func putBack(limit: Int) {
        for number in taken {
            guard var entry = entries[number] else { continue }
            entry.transmits += 1
            entries[number] = entry
            if entry.transmits >= limit {
                remove(number)
            } else {
                file(number, length: entry.part.count, transmits: entry.transmits)
            }
        }
        taken.removeAll(keepingCapacity: true)
    }

    private mutating func file(_ number: Int, length: Int, transmits: Int) {
        while buckets.count <= transmits { buckets.append(Bucket()) }
        buckets[transmits].add(number, length: length)
        filedCount += 1
        if filedCount > 2 * entries.count + Self.maxGone { forgetGone() }
    }

    private mutating func forgetGone() {
        for index in buckets.indices { buckets[index].removeAll { entries[$0] == nil } }
        filedCount = buckets.reduce(0) { $0 + $1.count }
    }

    @discardableResult
    private mutating func remove(_ number: Int) -> Entry? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        bytes -= entry.part.count + Self.entryBytes
        if let key = entry.key, numberByKey[key] == number { numberByKey[key] = nil }
        return entry
    }
}

extension BroadcastQueue {
    /// Numbers of entries that were sent equally often, by length.
    private struct Bucket: Sendable {
        private struct Stack: Sendable {
            let length: Int
            var numbers: [Int]
            var isSorted = true
        }

        /// Of the lengths that there are, in order: few, as most messages are alike.
        private var stacks: [Stack] = []
        /// Bit per length: whether there is a stack for it.
        private var occupied = [UInt64](repeating: 0, count: PacketCodec.maxPacketBytes / 64 + 1)

        mutating func add(_ number: Int, length: Int) {
            let place = place(of: length)
            guard has(length) else {
                occupied[length / 64] |= 1 << UInt64(length % 64)
                stacks.insert(Stack(length: length, numbers: [number]), at: place)
                return
            }
            // Entries come back in the order of their sending, mostly the reverse of their age: sorting once when the
            // stack's turn comes is cheaper than inserting each at its place.
            if let last = stacks[place].numbers.last, last > number { stacks[place].isSorted = false }
            stacks[place].numbers.append(number)
        }

        mutating func take(atMost length: Int) -> Int? {
            guard !stacks.isEmpty, let longest = longest(atMost: min(length, PacketCodec.maxPacketBytes)) else {
                return nil
            }
            let place = place(of: longest)
            if !stacks[place].isSorted {
                stacks[place].numbers.sort()
                stacks[place].isSorted = true
            }
            defer { removeIfEmpty(place) }
            return stacks[place].numbers.popLast()
        }

        var count: Int { stacks.reduce(0) { $0 + $1.numbers.count } }

        mutating func removeAll(where isUnwanted: (Int) -> Bool) {
            for place in stacks.indices.reversed() {
                stacks[place].numbers.removeAll(where: isUnwanted)
                removeIfEmpty(place)
            }
        }

        private func has(_ length: Int) -> Bool { occupied[length / 64] & 1 << UInt64(length % 64) != 0 }

        /// Where the stack of a length stands, or would: behind those of all shorter ones.
        private func place(of length: Int) -> Int {
            let shorter = occupied[..<(length / 64)].reduce(0) { $0 + $1.nonzeroBitCount }
            return shorter + (occupied[length / 64] & ((1 << UInt64(length % 64)) - 1)).nonzeroBitCount
        }

        private func longest(atMost length: Int) -> Int? {
            var word = length / 64
            var bits = occupied[word] & (~0 >> UInt64(63 - length % 64))
            while bits == 0 {
                if word == 0 { return nil }
                word -= 1
                bits = occupied[word]
            }
            return word * 64 + 63 - bits.leadingZeroBitCount
        }

        private mutating func removeIfEmpty(_ place: Int) {
            guard stacks[place].numbers.isEmpty else { return }
            let length = stacks.remove(at: place).length
            occupied[length / 64] &= ~(1 << UInt64(length % 64))
        }
    }
}
