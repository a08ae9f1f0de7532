/// Which broadcasts of one stream have arrived: tells a message from its duplicates, and a hole from the end.
package struct StreamWindow: Hashable, Sendable {
    /// Sequence numbers beyond a hole that are remembered. Past it the hole is given up: `isDamaged`.
    package static let maxPending = 4_096

    /// Everything up to here has arrived, or is known by a walk.
    package private(set) var head: UInt64
    /// The greatest number known to exist, from messages and heartbeats.
    package private(set) var end: UInt64
    /// Something was lost that no later arrival can fill: only a walk repairs it.
    package private(set) var isDamaged = false
    /// How often something was lost so: a walk repairs only what was lost before it began.
    package private(set) var lossCount = 0
    private var pending: Set<UInt64> = []

    /// Numbers beyond a hole that have arrived.
    package var pendingCount: Int { pending.count }

    /// Follows a stream from `head` on: what was sent before is for the first sync to bring.
    package init(head: UInt64) {
        self.head = head
        end = head
    }

    /// Something that exists has not arrived.
    package var hasGap: Bool { head < end || isDamaged }

    /// The numbers that have not arrived, in order, up to `end` or `heardEnd`; `nil` when they are more than `limit`, or
    /// something was lost that has no number.
    package func missing(limit: Int, heardEnd: UInt64 = 0) -> [ClosedRange<UInt64>]? {
        let end = max(end, heardEnd)
        guard !isDamaged, end - head <= UInt64(pending.count + limit) else { return nil }
        guard head < end else { return [] }
        var ranges: [ClosedRange<UInt64>] = []
        var next = head + 1
        for arrived in pending.sorted() {
            if next < arrived { ranges.append(next...(arrived - 1)) }
            guard arrived < end else { return ranges }
            next = arrived + 1
        }
        ranges.append(next...end)
        return ranges
    }

    /// Whether that number has arrived, or is known by a walk.
    package func has(_ sequence: UInt64) -> Bool { sequence <= head || pending.contains(sequence) }

    /// Notes an arrival; `false` for a duplicate.
    package mutating func insert(_ sequence: UInt64) -> Bool {
        guard !has(sequence) else { return false }
        end = max(end, sequence)
        if sequence == head + 1 {
            head = sequence
            while pending.remove(head &+ 1) != nil { head += 1 }
        } else {
            pending.insert(sequence)
            if pending.count > Self.maxPending { skipHole() }
        }
        return true
    }

    /// The sender says that `sequence` is the last it sent.
    package mutating func noteEnd(_ sequence: UInt64) { end = max(end, sequence) }

    /// A message that had arrived could not be stored.
    package mutating func noteLost() {
        isDamaged = true
        lossCount += 1
    }

    /// A walk has brought everything up to `sequence`; `lossCount` is what it was when the walk began.
    package mutating func repaired(upTo sequence: UInt64, lossCount: Int) {
        if lossCount == self.lossCount { isDamaged = false }
        guard sequence > head else { return }
        head = sequence
        end = max(end, head)
        pending = pending.filter { $0 > sequence }
        while pending.remove(head &+ 1) != nil { head += 1 }
    }

    /// The window was opened at `opened`, and what came before is not all here: what follows `first` is missing.
    package mutating func reopen(from first: UInt64, opened: UInt64) {
        guard first < opened, opened <= head else { return }
        guard head - opened <= UInt64(Self.maxPending), Int(head - opened) + pending.count <= Self.maxPending else {
            return noteLost()
        }
        if opened < head { pending.formUnion((opened + 1)...head) }
        head = first
    }

    private mutating func skipHole() {
        noteLost()
        guard let first = pending.min() else { return }
        head = first
        pending.remove(first)
        while pending.remove(head &+ 1) != nil { head += 1 }
    }
}
