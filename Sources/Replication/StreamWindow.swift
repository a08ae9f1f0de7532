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
    private var pending: Set<UInt64> = []

    /// Follows a stream from `head` on: what was sent before is for the first sync to bring.
    package init(head: UInt64) {
        self.head = head
        end = head
    }

    /// Something that exists has not arrived.
    package var hasGap: Bool { head < end || isDamaged }
    /// How many messages are missing, as far as is known.
    package var missingCount: UInt64 { end - head - min(UInt64(pending.count), end - head) }

    /// Notes an arrival; `false` for a duplicate.
    package mutating func insert(_ sequence: UInt64) -> Bool {
        guard sequence > head, !pending.contains(sequence) else { return false }
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
    package mutating func noteLost() { isDamaged = true }

    /// A walk has brought everything up to `sequence`.
    package mutating func repaired(upTo sequence: UInt64) {
        isDamaged = false
        guard sequence > head else { return }
        head = sequence
        end = max(end, head)
        pending = pending.filter { $0 > sequence }
        while pending.remove(head &+ 1) != nil { head += 1 }
    }

    private mutating func skipHole() {
        isDamaged = true
        guard let first = pending.min() else { return }
        head = first
        pending.remove(first)
        while pending.remove(head &+ 1) != nil { head += 1 }
    }
}
