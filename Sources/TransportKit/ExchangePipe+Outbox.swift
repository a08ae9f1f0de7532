internal import DequeModule

extension ExchangePipe {
    /// Messages on their way to the wire.
    struct Outbox {
        private var frames = Deque<[UInt8]>()
        /// Of the frames, and of those that were taken and not sent yet.
        private var cost = 0
        private var isSignalled = false

        var isEmpty: Bool { frames.isEmpty }

        func isFull(windowBytes: Int) -> Bool { cost >= windowBytes }

        /// Whether the owner has to be told: once until all was taken.
        mutating func append(_ frame: [UInt8]) -> Bool {
            frames.append(frame)
            cost += frame.count + ExchangePipe.messageCost
            defer { isSignalled = true }
            return !isSignalled
        }

        /// At least one frame and then no more than `maxBytes`; `nil` when there is none.
        mutating func take(maxBytes: Int) -> Outgoing? {
            defer { if frames.isEmpty { isSignalled = false } }
            guard let first = frames.popFirst() else { return nil }
            var (taken, bytes) = ([first], first.count)
            while let next = frames.first, bytes + next.count <= maxBytes {
                taken.append(next)
                bytes += next.count
                frames.removeFirst()
            }
            return Outgoing(frames: taken, cost: bytes + taken.count * ExchangePipe.messageCost)
        }

        mutating func didSend(cost sent: Int) { cost = max(0, cost - sent) }

        /// Takes what nobody sends any more, to be freed without the lock.
        mutating func removeAll() -> Deque<[UInt8]> {
            defer { (frames, cost) = ([], 0) }
            return frames
        }
    }
}
