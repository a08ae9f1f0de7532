import Transport
import TransportKit

/// One connection between a DEALER and a ROUTER, seen from either end: its exchanges, and what waits to be sent over it.
/// Confined to the owner thread.
///
/// The order of sending: what steers exchanges, membership, replication, then parts of messages of exchanges, in turn.
/// So a probe waits for at most what libzmq and the kernel hold, which `LinkWindow` bounds: replication and exchanges wait
/// here for what is beyond, membership for nothing.
final class Link {
    /// Where the other node listens.
    let address: PeerAddress
    /// When something last came over it.
    var lastHeard = ContinuousClock.now
    private let socket: ZMQSocket
    /// On the ROUTER's side: which connection is meant.
    private let routingID: [UInt8]?
    private var streams = LinkStreams()
    private var window = LinkWindow()
    private var outbox: LinkOutbox
    /// An exchange is over on this link; called once for each.
    private let onStreamGone: (ExchangeStream) -> Void

    init(
        address: PeerAddress, socket: ZMQSocket, routingID: [UInt8]? = nil, tally: UnicastTally = UnicastTally(),
        onStreamGone: @escaping (ExchangeStream) -> Void = { _ in }
    ) {
        self.address = address
        self.socket = socket
        self.routingID = routingID
        self.onStreamGone = onStreamGone
        outbox = LinkOutbox(tally: tally)
    }

    // MARK: Sending

    /// Hands one frame to libzmq past all that waits. On the ROUTER's side `unroutable` says that the connection is gone.
    func transmit(_ frame: [UInt8]) -> ZMQSocket.Outcome {
        if let routingID {
            let outcome = socket.send(routingID, hasMore: true)
            guard outcome == .sent else { return outcome }
        }
        return socket.send(frame)
    }

    func enqueue(_ message: LinkMessage) { outbox.append(message) }

    /// Returns how many older ones had to go.
    func enqueue(unicast message: [UInt8], on channel: Channel) -> Int { outbox.append(unicast: message, on: channel) }

    /// See `LinkOutbox.isOverwhelmed`.
    var isOverwhelmed: Bool { outbox.isOverwhelmed }

    /// The connection is gone, and with it the unicasts that waited for it; returns how many.
    func dropUnicasts() -> Int { outbox.dropUnicasts() }

    /// Whether there is something that `pump` could send.
    var hasWaiting: Bool { !outbox.isEmpty || streams.hasSending }

    /// Sends what waits until libzmq has no more room. `unroutable` and `failed` say that the link is lost.
    func pump() -> ZMQSocket.Outcome {
        while let frame = outbox.nextFrame(in: window) ?? nextDataFrame() {
            window.noteSent(cost: frame.cost)
            let outcome = transmit(frame.bytes)
            guard outcome == .sent else {
                outbox.putBack(frame)
                return outcome
            }
        }
        return .sent
    }

    private func nextDataFrame() -> LinkOutbox.Frame? {
        while window.hasRoom(for: ExchangeStream.maxFragmentBytes), let (number, stream) = streams.nextSending() {
            if let fragment = stream.takeFragment(limit: LinkWindow.windowBytes) {
                // Its turn comes again behind the others.
                streams.markSending(number)
                let message = LinkMessage.data(
                    exchange: number, endsMessage: fragment.endsMessage, bytes: fragment.bytes)
                return LinkOutbox.Frame(bytes: message.encoded(), cost: fragment.cost)
            }
            if stream.look() == .isFlushed {
                stream.pipe.finished()
                forget(number)
                return LinkOutbox.Frame(bytes: LinkMessage.end(exchange: number).encoded())
            }
        }
        return nil
    }

    // MARK: Exchanges

    var hasStreams: Bool { !streams.isEmpty }

    /// The exchange with this number.
    func stream(_ number: UInt32) -> ExchangeStream? { streams[number] }

    /// Takes an exchange of this node in, under a number of its own.
    func add(_ stream: ExchangeStream) -> UInt32 { streams.add(stream) }

    /// Takes an exchange of the peer in.
    func add(_ stream: ExchangeStream, number: UInt32) { streams.add(stream, number: number) }

    /// Something changed in an exchange: it has something to send, or its credit or end is to be told.
    func note(_ stream: ExchangeStream) {
        guard let number = stream.number else { return }
        stream.noteRead()
        tellCredit(of: stream, number)
        if stream.look() == .isOver {
            forget(number)
            enqueue(.reset(exchange: number, .closed))
        } else {
            streams.markSending(number)
        }
    }

    /// Ends an exchange with a word to the other side.
    func reset(_ number: UInt32, _ error: ExchangeError) {
        streams[number]?.fail(error)
        forget(number)
        enqueue(.reset(exchange: number, .closed))
    }

    /// The connection is gone: so are all exchanges.
    func failAll(_ error: ExchangeError) {
        for number in streams.allNumbers {
            streams[number]?.fail(error)
            forget(number)
        }
    }

    /// Ends exchanges on which nothing moves.
    func endStuck(at now: ContinuousClock.Instant, _ limits: ExchangeStream.Limits) {
        for number in streams.allNumbers {
            if let error = streams[number]?.stuck(at: now, limits) { reset(number, error) }
        }
    }

    private func forget(_ number: UInt32) {
        if let stream = streams.remove(number) { onStreamGone(stream) }
    }

    private func tellCredit(of stream: ExchangeStream, _ number: UInt32) {
        if let bytes = stream.takeCredit() { enqueue(.credit(exchange: number, bytes: UInt32(clamping: bytes))) }
    }

    // MARK: What arrives

    /// A message that means the same on both ends of a link. `false` when it is another.
    func take(_ message: LinkMessage) -> Bool {
        switch message {
        case .ping: break
        case .arrived(let bytes): window.noteReport(bytes)
        case .data(let number, let endsMessage, let bytes): take(bytes, endsMessage: endsMessage, exchange: number)
        case .credit(let number, let bytes): take(credit: bytes, exchange: number)
        case .end(let number):
            streams[number]?.ended()
            forget(number)
        case .reset(let number, _):
            streams[number]?.fail(.closed)
            forget(number)
        case .hello, .welcome, .refusal, .unicast, .unicasts, .subscribed, .open, .accepted: return false
        }
        return true
    }

    /// A frame has arrived with so many bytes behind its channel or flags.
    func noteArrived(_ bytes: Int) {
        if let report = window.noteArrived(bytes) { enqueue(.arrived(bytes: report)) }
    }

    /// A part of a message. What is for an exchange that is gone only counts as arrived.
    private func take(_ bytes: [UInt8], endsMessage: Bool, exchange number: UInt32) {
        noteArrived(bytes.count)
        guard let stream = streams[number] else { return }
        guard stream.deliver(bytes, endsMessage: endsMessage) else { return reset(number, .closed) }
        tellCredit(of: stream, number)
    }

    private func take(credit bytes: UInt32, exchange number: UInt32) {
        guard let stream = streams[number] else { return }
        guard stream.grant(Int(bytes)) else { return reset(number, .closed) }
        streams.markSending(number)
    }
}
