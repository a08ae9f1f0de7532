internal import DequeModule
internal import Transport

/// The last changes messages that this node numbered, for peers that missed some: a bounded ring.
struct RecentChanges: Sendable {
    /// What an entry counts besides its message.
    private static let entryBytes = 64

    private let maxBytes: Int
    private var messages = Deque<[UInt8]>()
    private(set) var bytes = 0
    /// The number of the oldest one kept, or of the next to come.
    private var first: UInt64 = 1

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Keeps the message with the next number; the oldest go where there is no room.
    mutating func append(_ message: [UInt8]) {
        messages.append(message)
        bytes += message.count + Self.entryBytes
        while bytes > maxBytes, let oldest = messages.popFirst() {
            bytes -= oldest.count + Self.entryBytes
            first += 1
        }
    }

    /// The message with that number, unless it was not given yet or has gone.
    subscript(sequence: UInt64) -> [UInt8]? {
        guard sequence >= first, sequence - first < UInt64(messages.count) else { return nil }
        return messages[Int(sequence - first)]
    }
}
