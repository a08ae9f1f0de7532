internal import DequeModule
public import Transport

/// Messages of both channels on their way to one peer: bounded by bytes for each channel, the oldest dropped, and the
/// channels in turn, so that a flood on one leaves the other's alone.
public struct SendQueue: Sendable {
    /// A message that waits.
    public struct Message: Hashable, Sendable {
        /// As it was handed over.
        public var bytes: [UInt8]
        /// What it is about.
        public var channel: Channel
        /// How the receiver is to take it.
        public var delivery: Arrival.Delivery

        /// One message.
        public init(_ bytes: [UInt8], on channel: Channel, delivery: Arrival.Delivery) {
            (self.bytes, self.channel, self.delivery) = (bytes, channel, delivery)
        }
    }

    /// What each message counts besides its bytes.
    public static let messageCost = 64

    private struct Lane: Sendable {
        /// `nil` where a newer message has taken the place of an older one.
        var messages = Deque<Message?>()
        /// Of the first of `messages`.
        var firstNumber = 0
        var numbers: [String: Int] = [:]
        var keys = Deque<String?>()
        var traffic = TransportStats.Traffic()

        mutating func popFirst() -> Message? {
            while let first = messages.popFirst() {
                firstNumber += 1
                if case let key?? = keys.popFirst(), numbers[key] == firstNumber - 1 { numbers[key] = nil }
                guard let message = first else { continue }
                release(message)
                return message
            }
            return nil
        }

        mutating func replace(_ key: String) {
            guard let number = numbers.removeValue(forKey: key), let old = messages[number - firstNumber] else {
                return
            }
            messages[number - firstNumber] = nil
            release(old)
            // Places that were given up never outnumber the others by much.
            if messages.count > 2 * traffic.messages + 64 { closeRanks() }
        }

        private mutating func closeRanks() {
            var (kept, keptKeys): (Deque<Message?>, Deque<String?>) = ([], [])
            numbers = [:]
            for (message, key) in zip(messages, keys) where message != nil {
                if let key { numbers[key] = firstNumber + kept.count }
                kept.append(message)
                keptKeys.append(key)
            }
            (messages, keys) = (kept, keptKeys)
        }

        private mutating func release(_ message: Message) {
            traffic.messages -= 1
            traffic.bytes -= message.bytes.count + SendQueue.messageCost
        }
    }

    private let maxBytes: PerChannel<Int>
    private var lanes = PerChannel(repeating: Lane())
    private var next = Channel.membership

    /// `maxBytes` of each channel, with 64 more for each message.
    public init(maxBytes: PerChannel<Int>) { self.maxBytes = maxBytes }

    /// What waits, as it counts for the bound: what `TransportStats.OfChannel.sendQueue` tells.
    public func waiting(on channel: Channel) -> TransportStats.Traffic { lanes[channel].traffic }

    /// Nothing waits.
    public var isEmpty: Bool { lanes.membership.traffic.messages + lanes.replication.traffic.messages == 0 }

    /// Places in the queues, those given up among them.
    var placeCount: Int { lanes.membership.messages.count + lanes.replication.messages.count }

    /// Adds a message at the end; gives how many were dropped for it, the oldest first, to be counted as `sendQueueFull`. A
    /// waiting message with the same `replacing` on its channel goes, and is not counted: the news is told all the same.
    public mutating func append(_ message: Message, replacing key: String? = nil) -> Int {
        if let key { lanes[message.channel].replace(key) }
        var lane = Lane()
        swap(&lane, &lanes[message.channel])
        defer { swap(&lane, &lanes[message.channel]) }
        if let key { lane.numbers[key] = lane.firstNumber + lane.messages.count }
        lane.messages.append(message)
        lane.keys.append(key)
        lane.traffic.add(bytes: message.bytes.count + Self.messageCost)
        var lost = 0
        while lane.traffic.bytes > maxBytes[message.channel], lane.popFirst() != nil { lost += 1 }
        return lost
    }

    /// Takes the oldest message of the channel whose turn it is, where it has one, and else of the other.
    public mutating func popFirst() -> Message? {
        let (first, second): (Channel, Channel) =
            next == .membership ? (.membership, .replication) : (.replication, .membership)
        next = second
        return lanes[first].popFirst() ?? lanes[second].popFirst()
    }

    /// Takes all that wait: how many there were, where the peer is given up.
    public mutating func removeAll() -> Int {
        defer { lanes = PerChannel(repeating: Lane()) }
        return lanes.membership.traffic.messages + lanes.replication.traffic.messages
    }
}
