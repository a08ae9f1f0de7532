import Transport

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
    private var messages = FIFO<[UInt8]>()
    private var bytes = 0

    init(_ channel: Channel) { self.channel = channel }

    var isEmpty: Bool { messages.isEmpty }
    var count: Int { messages.count }

    /// Returns how many older ones had to go.
    mutating func append(_ message: [UInt8]) -> Int {
        messages.append(message)
        bytes += message.count + Self.messageCost
        var lost = 0
        while bytes > Self.maxBytes, popFirst() != nil { lost += 1 }
        return lost
    }

    /// The oldest ones in a frame, as many as fit; how many they are, and what the frame counts (see `Link`).
    mutating func nextFrame() -> (bytes: [UInt8], count: Int, cost: Int)? {
        guard let first = popFirst() else { return nil }
        var size = LinkMessage.unicastHeaderBytes + LinkMessage.packedOverheadBytes + first.count
        var packed = [first]
        while let next = messages.first {
            let grown = size + LinkMessage.packedOverheadBytes + next.count
            guard grown <= Self.maxFrameBytes, let next = popFirst() else { break }
            packed.append(next)
            size = grown
        }
        let frame =
            packed.count == 1
            ? LinkMessage.unicast(channel, message: first).encoded() : LinkMessage.packed(packed, channel)
        return (frame, packed.count, frame.count - LinkMessage.unicastHeaderBytes + LinkMessage.frameCost)
    }

    private mutating func popFirst() -> [UInt8]? {
        guard let message = messages.popFirst() else { return nil }
        bytes -= message.count + Self.messageCost
        return message
    }
}
