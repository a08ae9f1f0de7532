internal import DequeModule

extension ExchangePipe {
    /// Messages that have arrived, and what the owner has to know of their being read.
    struct Inbox {
        private var messages = Deque<(bytes: [UInt8], cost: Int)>()
        /// Of the messages, and of those that were read, until the owner has taken note.
        private var cost = 0
        private var readCost = 0
        /// The owner wants to know when nothing is left.
        private var tellsOnceRead = false

        var isEmpty: Bool { messages.isEmpty }

        /// What counts against the window.
        var unreadCost: Int { cost - readCost }

        mutating func append(_ message: [UInt8], cost: Int) {
            messages.append((message, cost))
            self.cost += cost
        }

        /// Takes the oldest; `isWorthTelling` once a quarter of the window was read, and when the owner waits for the last.
        mutating func popFirst(windowBytes: Int) -> (message: [UInt8], isWorthTelling: Bool)? {
            guard let message = messages.popFirst() else { return nil }
            let (before, quarter) = (readCost, windowBytes / 4)
            readCost += message.cost
            let isLast = tellsOnceRead && messages.isEmpty
            if isLast { tellsOnceRead = false }
            return (message.bytes, isLast || before < quarter && readCost >= quarter)
        }

        /// Takes note of what was read, if it is that much: its cost.
        mutating func takeRead(atLeast least: Int) -> Int {
            guard readCost >= least else { return 0 }
            defer { readCost = 0 }
            cost -= readCost
            return readCost
        }

        /// Whether nothing is unread; if not, `popFirst` says so with the last.
        mutating func tellOnceRead() -> Bool {
            tellsOnceRead = !messages.isEmpty
            return messages.isEmpty
        }

        /// Takes what nobody receives any more, to be freed without the lock.
        mutating func removeAll() -> Deque<(bytes: [UInt8], cost: Int)> {
            defer { messages = [] }
            return messages
        }
    }
}
