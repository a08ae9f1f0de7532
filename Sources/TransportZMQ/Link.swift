import Transport

/// One connection between a DEALER and a ROUTER, seen from either end: its exchanges, and what waits to be sent over it.
/// Confined to the owner thread.
///
/// The order of sending: what steers exchanges, membership, replication, then parts of messages of exchanges, in turn.
/// So a probe waits for at most what libzmq and the kernel hold, which is bounded by `windowBytes`: replication and
/// exchanges wait here for what is beyond, membership for nothing.
final class Link {
    /// What may be on its way in frames of messages and of data and has not been reported as arrived, in cost.
    static let windowBytes = 1024 * 1024
    /// How much has to arrive for a report.
    static let reportBytes = windowBytes / 4
    /// Frames that steer exchanges and wait for the connection; a link with more is given up.
    static let maxWaitingControl = 8_192

    /// Where the other node listens.
    let address: PeerAddress
    private let socket: Socket
    /// On the ROUTER's side.
    let routingID: [UInt8]?
    /// Of its connection, on the ROUTER's side; another connection may have it later.
    let descriptor: CInt

    private(set) var streams: [UInt32: ExchangeStream] = [:]
    private var numbers: [ObjectIdentifier: UInt32] = [:]
    private var lastNumber: UInt32 = 0
    /// Exchanges that may have something to send, each once.
    private var sending = FIFO<UInt32>()
    private var isSending: Set<UInt32> = []
    private var onTheWay = 0
    private var unreported = 0

    private var control = FIFO<[UInt8]>()
    private var membership: UnicastQueue
    private var replication: UnicastQueue
    /// A frame that libzmq had no room for, and how many unicasts it holds.
    private var refused: (frame: [UInt8], unicasts: Int)?

    /// When something last came over it.
    var lastHeard = ContinuousClock.now
    /// When the other side last said that it gets what is broadcast.
    var subscribedAt: ContinuousClock.Instant?
    /// Since when the socket has had no room for it.
    var fullSince: ContinuousClock.Instant?
    /// A stream is over on this link; called once for each.
    var onStreamGone: ((ExchangeStream) -> Void)?

    init(
        address: PeerAddress, socket: Socket, routingID: [UInt8]? = nil, descriptor: CInt = -1,
        tally: UnicastTally = UnicastTally()
    ) {
        membership = UnicastQueue(.membership, tally: tally)
        replication = UnicastQueue(.replication, tally: tally)
        self.address = address
        self.socket = socket
        self.routingID = routingID
        self.descriptor = descriptor
    }

    // MARK: Sending

    /// Hands one frame to libzmq past all that waits. On the ROUTER's side `unroutable` says that the connection is gone.
    func transmit(_ frame: [UInt8]) -> Socket.Outcome {
        if let routingID {
            let outcome = socket.send(routingID, hasMore: true)
            guard outcome == .sent else { return outcome }
        }
        return socket.send(frame)
    }

    func enqueue(_ message: LinkMessage) { control.append(message.encoded()) }

    /// Returns how many older ones had to go.
    func enqueue(unicast message: [UInt8], on channel: Channel) -> Int {
        switch channel {
        case .membership: membership.append(message)
        case .replication: replication.append(message)
        }
    }

    /// More answers wait than the other side can have asked for: it asks and does not read.
    var isOverwhelmed: Bool { control.count > Self.maxWaitingControl }

    private var waitingUnicasts: Int { (refused?.unicasts ?? 0) + membership.count + replication.count }

    /// The connection is gone, and with it what waited for it; returns how many unicasts.
    func dropUnicasts() -> Int {
        defer {
            refused = nil
            membership.removeAll()
            replication.removeAll()
        }
        return waitingUnicasts
    }

    /// Whether there is something that `pump` could send.
    var hasWaiting: Bool {
        refused != nil || !control.isEmpty || !membership.isEmpty || !replication.isEmpty || !sending.isEmpty
    }

    /// Sends what waits until libzmq has no more room. `unroutable` and `failed` say that the link is lost.
    func pump() -> Socket.Outcome {
        while let next = nextFrame() {
            let outcome = transmit(next.frame)
            guard outcome == .sent else {
                refused = next
                return outcome
            }
        }
        return .sent
    }

    private func nextFrame() -> (frame: [UInt8], unicasts: Int)? {
        if let next = refused {
            refused = nil
            return next
        }
        if let frame = control.popFirst() { return (frame, 0) }
        if let (frame, count, cost) = membership.nextFrame() ?? nextReplicationFrame() {
            onTheWay += cost
            return (frame, count)
        }
        return nextDataFrame().map { ($0, 0) }
    }

    private func nextReplicationFrame() -> (bytes: [UInt8], count: Int, cost: Int)? {
        hasRoom(for: UnicastQueue.maxFrameBytes) ? replication.nextFrame() : nil
    }

    /// Whether a frame of so many bytes may be under way besides those that are.
    private func hasRoom(for bytes: Int) -> Bool { onTheWay + bytes + LinkMessage.frameCost <= Self.windowBytes }

    private func nextDataFrame() -> [UInt8]? {
        while hasRoom(for: ExchangeStream.maxFragmentBytes), let number = sending.popFirst() {
            isSending.remove(number)
            guard let stream = streams[number] else { continue }
            if let fragment = stream.takeFragment(limit: Self.windowBytes) {
                onTheWay += fragment.cost
                // Its turn comes again behind the others.
                markSending(number)
                return LinkMessage.data(
                    exchange: number, endsMessage: fragment.endsMessage, bytes: fragment.bytes
                ).encoded()
            }
            if stream.state == .isFlushed {
                stream.ended()
                forget(number)
                return LinkMessage.end(exchange: number).encoded()
            }
        }
        return nil
    }

    // MARK: Exchanges

    /// Takes a stream in under a number of its own.
    func add(_ stream: ExchangeStream) -> UInt32 {
        repeat { lastNumber &+= 1 } while streams[lastNumber] != nil
        add(stream, number: lastNumber)
        return lastNumber
    }

    func add(_ stream: ExchangeStream, number: UInt32) {
        streams[number] = stream
        numbers[ObjectIdentifier(stream)] = number
    }

    func number(of stream: ExchangeStream) -> UInt32? { numbers[ObjectIdentifier(stream)] }

    /// Something changed in a stream: it has something to send, or its credit or end is to be told.
    func note(_ stream: ExchangeStream) {
        guard let number = number(of: stream) else { return }
        if let bytes = stream.takeCredit() { enqueue(.credit(exchange: number, bytes: UInt32(clamping: bytes))) }
        if stream.state == .isOver {
            forget(number)
            enqueue(.reset(exchange: number, .closed))
        } else {
            markSending(number)
        }
    }

    func forget(_ number: UInt32) {
        guard let stream = streams.removeValue(forKey: number) else { return }
        numbers[ObjectIdentifier(stream)] = nil
        onStreamGone?(stream)
    }

    /// Ends an exchange with a word to the other side.
    func reset(_ number: UInt32, _ error: ExchangeError) {
        streams[number]?.fail(error)
        forget(number)
        enqueue(.reset(exchange: number, .closed))
    }

    /// The connection is gone: so are all exchanges.
    func failAll(_ error: ExchangeError) {
        for number in streams.keys.sorted() {
            streams[number]?.fail(error)
            forget(number)
        }
    }

    private func markSending(_ number: UInt32) {
        if isSending.insert(number).inserted { sending.append(number) }
    }

    // MARK: What arrives

    /// A part of a message. What is for an exchange that is gone only counts as arrived.
    func received(data bytes: [UInt8], endsMessage: Bool, exchange number: UInt32) {
        noteArrived(bytes.count)
        guard let stream = streams[number] else { return }
        guard stream.deliver(bytes, endsMessage: endsMessage) else { return reset(number, .closed) }
        if let credit = stream.takeCredit() { enqueue(.credit(exchange: number, bytes: UInt32(clamping: credit))) }
    }

    /// A frame with so many bytes behind its channel or flags.
    func noteArrived(_ bytes: Int) {
        unreported += bytes + LinkMessage.frameCost
        guard unreported >= Self.reportBytes else { return }
        enqueue(.arrived(bytes: UInt32(clamping: unreported)))
        unreported = 0
    }

    func received(arrived bytes: UInt32) { onTheWay = max(0, onTheWay - Int(bytes)) }

    func received(credit bytes: UInt32, exchange number: UInt32) {
        guard let stream = streams[number] else { return }
        guard stream.grant(Int(bytes)) else { return reset(number, .closed) }
        markSending(number)
    }

    func receivedEnd(exchange number: UInt32) {
        streams[number]?.ended()
        forget(number)
    }

    func received(reset reason: LinkMessage.ResetReason, exchange number: UInt32) {
        streams[number]?.fail(.closed)
        forget(number)
    }

    /// Ends exchanges on which nothing moves.
    func endStuck(at now: ContinuousClock.Instant, _ limits: ExchangeStream.Limits) {
        for (number, stream) in streams {
            if let error = stream.stuck(at: now, limits) { reset(number, error) }
        }
    }
}
