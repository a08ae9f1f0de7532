import DequeModule
import Transport
import TransportKit

/// One exchange as the owner thread sees it: the pipe to the task that uses it, and the credit of the wire. Confined to the
/// owner thread.
///
/// Bounded both ways: what the task sends waits in the pipe while `windowBytes` have not gone out, and the other side sends
/// no more than `windowBytes` beyond what was read here. A frame counts as many bytes as it carries and `frameCost`, so that
/// many small ones are bounded too.
final class ExchangeStream {
    /// What a side may have on its way unread; a message larger than that goes on as its beginning is taken in.
    static let windowBytes = 256 * 1024
    /// What each data frame counts besides its bytes.
    static let frameCost = LinkMessage.frameCost
    /// Largest message.
    static let maxMessageBytes = 1024 * 1024
    /// Largest part of a message in one frame, so that a probe waits for no more than this.
    static let maxFragmentBytes = 32 * 1024
    /// Credit is worth a message from this much on.
    private static let creditBytes = windowBytes / 4

    struct Fragment {
        var bytes: [UInt8]
        var endsMessage: Bool
        var cost: Int { bytes.count + ExchangeStream.frameCost }
    }

    /// What is left to do on this side.
    enum State: Equatable {
        case live
        /// Closed by its user, and everything has gone out: the peer is to be told.
        case isFlushed
        case isOver
    }

    /// How long what may take.
    struct Limits {
        /// Until the peer has accepted.
        var answer: Duration
        /// Without anything that moves.
        var idle: Duration
        /// From `close` until everything has gone out.
        var linger: Duration
    }

    private struct Incoming {
        /// The beginning of a message, and what of it counts as unread.
        var partial: [UInt8] = []
        var partialCost = 0
        /// Costs of what was read and was not given back yet.
        var readCost = 0
        /// Costs of what arrived and was not given back yet.
        var heldCost = 0
    }

    private struct Outgoing {
        var messages = Deque<[UInt8]>()
        /// Bytes of the first message that have gone out.
        var sentOfFirst = 0
        var credit = ExchangeStream.windowBytes
    }

    let channel: Channel
    let pipe: ExchangePipe
    /// Of its link; `nil` while there is none.
    var number: UInt32?
    private var incoming = Incoming()
    private var outgoing = Outgoing()
    /// When a part of a message last moved; the pipe knows of whole ones.
    private var lastMove = ContinuousClock.now
    private var closedAt: ContinuousClock.Instant?

    init(_ pipe: ExchangePipe, on channel: Channel) {
        self.pipe = pipe
        self.channel = channel
    }

    /// The pipe of a new exchange. `isOpen`: the peer opened it and waits for nothing.
    static func makePipe(isOpen: Bool, owner: any ExchangePipeOwner) -> ExchangePipe {
        ExchangePipe(windowBytes: windowBytes, maxMessageBytes: maxMessageBytes, isOpen: isOpen, owner: owner)
    }

    // MARK: Beginning and end

    /// Still wanted by the task that asked for it.
    var isOpening: Bool { pipe.phase == .opening }

    /// The peer has accepted; `false` when nobody waits for that any more.
    func opened() -> Bool { pipe.open() }

    /// The exchange is over for a reason. What arrived before can still be received.
    func fail(_ error: ExchangeError) { pipe.fail(error) }

    /// The peer sends nothing more and reads nothing more; what arrived can still be received.
    func ended() { if incoming.partial.isEmpty { pipe.end() } else { pipe.fail(.closed) } }

    /// Looks what is left to do.
    func look() -> State {
        switch pipe.phase {
        case .opening, .open: return .live
        case .closing:
            if closedAt == nil { closedAt = .now }
            return outgoing.messages.isEmpty && !pipe.hasOutgoing ? .isFlushed : .live
        case .over: return .isOver
        }
    }

    /// Why it is to end, where it has taken too long.
    func stuck(at now: ContinuousClock.Instant, _ limits: Limits) -> ExchangeError? {
        switch pipe.phase {
        case .opening: return now - pipe.lastProgress >= limits.answer ? .noAnswer : nil
        case .closing: return now - (closedAt ?? now) >= limits.linger ? .closed : nil
        case .open, .over: return now - max(lastMove, pipe.lastProgress) >= limits.idle ? .closed : nil
        }
    }

    // MARK: What arrives

    /// Part of a message has arrived. `false` when the peer has not kept to its credit or to the size of messages.
    func deliver(_ bytes: [UInt8], endsMessage: Bool) -> Bool {
        lastMove = .now
        let cost = bytes.count + Self.frameCost
        guard incoming.heldCost + cost <= Self.windowBytes + Self.frameCost,
            incoming.partial.count + bytes.count <= Self.maxMessageBytes
        else { return false }
        incoming.heldCost += cost
        incoming.partialCost += cost
        if endsMessage {
            let message = incoming.partial.isEmpty ? bytes : incoming.partial + bytes
            pipe.deliver(message, cost: incoming.partialCost)
            incoming.partial = []
            incoming.partialCost = 0
        } else {
            incoming.partial += bytes
            releasePartial()
        }
        return true
    }

    /// While nothing else waits to be read, the beginning of a message counts as read: else a message larger than the
    /// window would never be whole.
    private func releasePartial() {
        guard incoming.partialCost > 0, pipe.tellOnceRead() else { return }
        incoming.readCost += incoming.partialCost
        incoming.partialCost = 0
    }

    /// The user has read something.
    func noteRead() { releasePartial() }

    /// What was read since the last call, once it is worth a message.
    func takeCredit() -> Int? {
        if incoming.readCost < Self.creditBytes {
            incoming.readCost += pipe.takeRead(atLeast: Self.creditBytes - incoming.readCost)
        }
        guard incoming.readCost >= Self.creditBytes, pipe.phase == .open else { return nil }
        defer { incoming.readCost = 0 }
        incoming.heldCost -= incoming.readCost
        return incoming.readCost
    }

    // MARK: What is sent

    /// The peer has read so much. `false` when that is more than was sent.
    func grant(_ bytes: Int) -> Bool {
        lastMove = .now
        outgoing.credit += bytes
        return outgoing.credit <= Self.windowBytes
    }

    /// The next part to send, of at most `limit` in cost; `nil` when there is none or no credit.
    func takeFragment(limit: Int) -> Fragment? {
        if outgoing.messages.isEmpty, let taken = pipe.takeOutgoing(maxBytes: Self.maxFragmentBytes) {
            outgoing.messages.append(contentsOf: taken.frames)
        }
        guard let first = outgoing.messages.first else { return nil }
        let rest = first.count - outgoing.sentOfFirst
        let room = min(limit, outgoing.credit) - Self.frameCost
        // Crumbs are not worth a frame: a quarter of the window is given back at once.
        guard room >= min(rest, 4_096) else { return nil }
        let count = min(rest, room, Self.maxFragmentBytes)
        let endsMessage = count == rest
        let start = outgoing.sentOfFirst
        outgoing.credit -= count + Self.frameCost
        lastMove = .now
        if endsMessage {
            outgoing.messages.removeFirst()
            outgoing.sentOfFirst = 0
            pipe.didSend(cost: first.count + ExchangePipe.messageCost)
        } else {
            outgoing.sentOfFirst += count
        }
        let bytes = start == 0 && endsMessage ? first : Array(first[start..<(start + count)])
        return Fragment(bytes: bytes, endsMessage: endsMessage)
    }
}
