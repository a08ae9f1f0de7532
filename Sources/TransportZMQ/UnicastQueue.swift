import DequeModule
import Transport
import TransportKit

/// Counts of the unicasts of all links, per channel: waiting and sent. Confined to the owner thread.
final class UnicastTally {
    private(set) var waiting = PerChannel(repeating: TransportStats.Traffic())
    private(set) var sent = PerChannel(repeating: TransportStats.Traffic())

    func noteAppended(_ message: [UInt8], to channel: Channel) {
        waiting[channel].add(bytes: message.count)
    }

    /// `isSent`: else it was dropped.
    func noteTaken(_ message: [UInt8], from channel: Channel, isSent: Bool) {
        waiting[channel].messages -= 1
        waiting[channel].bytes -= message.count
        if isSent { sent[channel].add(bytes: message.count) }
    }
}

/// Unicasts of one channel that wait for a connection: bounded by bytes, the oldest goes first. What waits together goes
/// out together, in frames of a bounded size; one alone is a frame of its own.
struct UnicastQueue {
    /// What may wait, in bytes of messages, each counting `messageCost` more.
    static let maxBytes = 1024 * 1024
    /// Largest frame that is given out; a message that does not fit into one with others goes alone.
    static let maxFrameBytes = 64 * 1024
    /// What a message counts besides its bytes: many empty ones are bounded too.
    static let messageCost = 32

    let channel: Channel
    private let tally: UnicastTally
    private var messages = Deque<[UInt8]>()
    private var bytes = 0

    init(_ channel: Channel, tally: UnicastTally = UnicastTally()) {
        self.channel = channel
        self.tally = tally
    }

    var isEmpty: Bool { messages.isEmpty }
    var count: Int { messages.count }

    /// Returns how many older ones had to go.
    mutating func append(_ message: [UInt8]) -> Int {
        messages.append(message)
        tally.noteAppended(message, to: channel)
        bytes += message.count + Self.messageCost
        var lost = 0
        while bytes > Self.maxBytes, popFirst(isSent: false) != nil { lost += 1 }
        return lost
    }

    /// The connection is gone.
    mutating func removeAll() { while popFirst(isSent: false) != nil {} }

    /// The oldest ones in a frame, as many as fit; how many they are, and what the frame counts (see `Link`).
    mutating func nextFrame() -> (bytes: [UInt8], count: Int, cost: Int)? {
        guard let first = popFirst(isSent: true) else { return nil }
        var size = LinkMessage.unicastHeaderBytes + LinkMessage.packedOverheadBytes + first.count
        var packed = [first]
        while let next = messages.first {
            let grown = size + LinkMessage.packedOverheadBytes + next.count
            guard grown <= Self.maxFrameBytes, let next = popFirst(isSent: true) else { break }
            packed.append(next)
            size = grown
        }
        let frame =
            packed.count == 1
            ? LinkMessage.unicast(channel, message: first).encoded() : LinkMessage.packed(packed, channel)
        return (frame, packed.count, frame.count - LinkMessage.unicastHeaderBytes + LinkMessage.frameCost)
    }

    private mutating func popFirst(isSent: Bool) -> [UInt8]? {
        guard let message = messages.popFirst() else { return nil }
        tally.noteTaken(message, from: channel, isSent: isSent)
        bytes -= message.count + Self.messageCost
        return message
    }
}
