internal import DequeModule
public import Transport

/// One TCP connection of a stream plugin, from the attempt to its last byte: socket, session, what is unsent, deadlines and
/// the farewell. It carries an exchange, whose pipe it serves, or messages of its owner. Confined to the owner thread.
///
///     connecting ──> handshake ──> established ──> farewell ──> gone
///          └────────────┴── refusal ───┴─────────────┘
///
/// The owner gives it the descriptor's news (`handle`), the signals of its pipe (`hear`) and the time (`expire`), and acts on
/// the events that come back. `gone` is the last of them.
public final class StreamConnection {
    /// What the owner is told.
    public enum Event: Sendable {
        /// The handshake is over; the dialler wants `opening`. Where an acceptor has made a pipe for it (`carriedPipe`), the
        /// exchange can be handed over now.
        case established(opening: [UInt8])
        /// Only where the connection carries no exchange.
        case message([UInt8])
        /// Only where the connection carries no exchange: the system has taken all that `send` was given.
        case drained
        /// The handshake failed, or the stream broke: why, and what an operator is told of it.
        case failed(ExchangeError, Refusal?)
        /// The socket is closed and taken out of the poller.
        case gone
    }

    /// How long what may take.
    public struct Limits: Sendable {
        /// From the attempt, or the acceptance, to the end of the handshake.
        public var handshake: Duration
        /// Without anything that moves, in either direction, whether or not something waits to be sent.
        public var idle: Duration
        /// From the farewell until the peer has ended too.
        public var linger: Duration
        /// While the peer's system acknowledges nothing of what was sent: see `StreamSocket.limitUnacknowledged`. `nil`: as
        /// long as the system has patience. Not for a connection whose peer may let the sender wait.
        public var unacknowledged: Duration?

        /// Four limits; the defaults suit a local network.
        public init(
            handshake: Duration = .seconds(5), idle: Duration = .seconds(30), linger: Duration = .seconds(5),
            unacknowledged: Duration? = nil
        ) {
            (self.handshake, self.idle, self.linger) = (handshake, idle, linger)
            self.unacknowledged = unacknowledged
        }
    }

    private enum Phase: Equatable { case connecting, handshake, established, farewell, gone }

    /// Read in one go before others have their turn.
    private static let readBytesPerTurn = 256 * 1024
    /// Most bytes of the pipe's that are taken at a time, so that the pipe is the one bound.
    private static let writeBytes = 64 * 1024

    /// What the poller calls it.
    public let tag: UInt64
    /// Where it leads to: the address that was dialled, or that the connection came from.
    public let peer: PeerAddress

    private let socket: StreamSocket
    private let poller: Poller
    private let limits: Limits
    private let accept: ([UInt8]) -> ExchangePipe?
    private var session: StreamSession
    private var writer: StreamWriter?
    private var pipe: ExchangePipe?
    private var phase: Phase
    private var flow = Flow()
    private var since = ContinuousClock.now
    private var progress = ContinuousClock.now

    /// Bytes on their way out, and what is waited for.
    private struct Flow {
        var unsent: [UInt8] = []
        var position = 0
        /// Of the pipe's messages among `unsent`: where each batch ends there, and what it costs.
        var batches: Deque<(end: Int, cost: Int)> = []
        var endsAfter = false
        var isReadPaused = false
        var hasPeerEnded = false
        var interest = (read: true, write: false)

        var unsentBytes: Int { unsent.count - position }

        /// So many bytes more have gone: the cost of the batches that have gone with them.
        mutating func sent(_ count: Int, keeping kept: Int) -> Int {
            position += count
            var cost = 0
            while let first = batches.first, first.end <= position {
                cost += first.cost
                batches.removeFirst()
            }
            if position == unsent.count {
                unsent.removeAll(keepingCapacity: unsent.count <= 2 * kept)
                (position, batches) = (0, [])
            } else if position > kept {
                unsent.removeFirst(position)
                for index in batches.indices { batches[index].end -= position }
                position = 0
            }
            return cost
        }

        mutating func drop() { (unsent, position, batches) = ([], 0, []) }
    }

    /// Takes over `socket`. `isConnecting`: it is a dialler's, which has not connected yet. `pipe`: the exchange that is
    /// dialled. `accept` gives an acceptor's pipe for an opening that asks for an exchange, `nil` for other openings. Throws
    /// `failed` when the poller cannot take the socket.
    public init(
        _ socket: StreamSocket, peer: PeerAddress, session: StreamSession, isConnecting: Bool,
        pipe: ExchangePipe? = nil,
        limits: Limits, poller: Poller, tag: UInt64, accept: @escaping ([UInt8]) -> ExchangePipe? = { _ in nil }
    ) throws(TransportError) {
        (self.socket, self.peer, self.session, self.pipe) = (socket, peer, session, pipe)
        (self.limits, self.poller, self.tag, self.accept) = (limits, poller, tag, accept)
        phase = isConnecting ? .connecting : .handshake
        flow.interest.write = isConnecting
        if let limit = limits.unacknowledged { socket.limitUnacknowledged(to: limit) }
        try poller.add(socket.descriptor, tag: tag, wantsWrite: isConnecting)
        if !isConnecting { _ = self.session.start() }
    }

    /// Whether messages can be sent.
    public var isEstablished: Bool { phase == .established }

    /// The exchange that it carries.
    public var carriedPipe: ExchangePipe? { pipe }

    /// Bytes that the system has not taken yet.
    public var unsentBytes: Int { flow.unsentBytes }

    // MARK: News

    /// The poller has something for the connection.
    public func handle(_ ready: Poller.Ready) -> [Event] {
        var events: [Event] = []
        if phase == .connecting {
            guard ready.isWritable || ready.hasError else { return [] }
            if let error = socket.connectError() {
                pipe?.fail(error)
                events.append(.failed(error, nil))
                return close(events)
            }
            // Given up meanwhile: nobody waits for an answer.
            if pipe?.phase == .over { return close(events) }
            phase = .handshake
            apply(session.start(), &events)
        }
        if ready.isReadable || ready.hasError, phase != .gone { read(&events) }
        return settle(events)
    }

    /// The pipe has something for the connection.
    public func hear(_ signal: ExchangePipe.Signal) -> [Event] {
        guard let pipe, phase != .gone else { return [] }
        switch signal {
        case .outgoing: break
        case .read:
            _ = pipe.takeRead()
            flow.isReadPaused = false
        case .closed:
            // Given up while it was opening: nobody waits for an answer.
            if phase == .connecting || phase == .handshake { return close([]) }
            beginFarewell()
        }
        return settle([])
    }

    /// Sends a message of the owner's. The owner bounds what it sends by `unsentBytes`.
    public func send(_ message: [UInt8]) {
        guard phase == .established, let writer else { return }
        flow.unsent += writer.frame(message)
    }

    /// Hands what `send` has gathered to the system.
    public func flush() -> [Event] { phase == .gone ? [] : settle([]) }

    /// Ends the connection in order: what is unsent goes out, then the end.
    public func end() -> [Event] {
        switch phase {
        case .gone: return []
        case .connecting, .handshake: return close([])
        case .established, .farewell:
            beginFarewell()
            return settle([])
        }
    }

    /// Ends the connection at once.
    public func abort() -> [Event] { phase == .gone ? [] : close([]) }

    // MARK: Time

    /// When `expire` is to be called.
    public var deadline: ContinuousClock.Instant? {
        switch phase {
        case .connecting, .handshake: since + limits.handshake
        case .established: lastProgress + limits.idle
        case .farewell: since + limits.linger
        case .gone: nil
        }
    }

    /// Ends what has taken too long. The owner reads what has come before it asks.
    public func expire(at now: ContinuousClock.Instant) -> [Event] {
        guard let deadline, deadline <= now else { return [] }
        let error = phase == .established ? ExchangeError.closed : .noAnswer
        guard phase != .farewell else { return close([]) }
        pipe?.fail(error)
        return close([.failed(error, nil)])
    }

    private var lastProgress: ContinuousClock.Instant { max(progress, pipe?.lastProgress ?? progress) }
}

// MARK: Bytes

extension StreamConnection {
    private func read(_ events: inout [Event]) {
        var bytes: [UInt8] = []
        var total = 0
        while total < Self.readBytesPerTurn, phase != .gone, !flow.hasPeerEnded {
            bytes.removeAll(keepingCapacity: true)
            switch socket.read(into: &bytes) {
            case .moved(let count):
                total += count
                progress = .now
                pipe?.noteProgress()
                // What comes after the farewell is read and dropped.
                if phase != .farewell { apply(session.receive(bytes), &events) }
            case .wouldBlock: return
            case .ended:
                flow.hasPeerEnded = true
                if phase != .farewell { apply(session.receiveEnd(), &events) }
            case .broken:
                flow.hasPeerEnded = true
                if phase != .farewell { apply(session.receiveEnd(isReset: true), &events) }
                flow.drop()
            }
        }
    }

    private func apply(_ outputs: [StreamSession.Output], _ events: inout [Event]) {
        var messages: [[UInt8]] = []
        for output in outputs {
            switch output {
            case .write(let bytes): flow.unsent += bytes
            case .established(let opening, let writer):
                phase = .established
                progress = .now
                self.writer = writer
                events.append(.established(opening: opening))
                if pipe == nil { pipe = accept(opening) }
                if let pipe, !pipe.open(prepare: { writer.frame($0) }) { beginFarewell() }
            case .message(let message): messages.append(message)
            case .ended:
                deliver(&messages, &events)
                pipe?.end()
                beginFarewell(isSaid: true)
            case .failed(let error, let refusal, let reply):
                deliver(&messages, &events)
                pipe?.fail(error)
                flow.unsent += reply
                events.append(.failed(error, refusal))
                beginFarewell(isSaid: true)
            }
        }
        deliver(&messages, &events)
    }

    private func deliver(_ messages: inout [[UInt8]], _ events: inout [Event]) {
        guard !messages.isEmpty else { return }
        if let pipe {
            pipe.deliver(messages)
        } else {
            events += messages.map { .message($0) }
        }
        messages = []
    }

    /// Closing with unread bytes in the kernel would reset the connection, and might cost the peer our last bytes. So the
    /// own direction ends first, and what comes is read and dropped until the peer ends its own. `isSaid`: no end of ours
    /// is needed.
    private func beginFarewell(isSaid: Bool = false) {
        guard phase != .farewell, phase != .gone else { return }
        takeOutgoing(limit: .max)
        if !isSaid, let writer { flow.unsent += writer.end() }
        flow.endsAfter = true
        phase = .farewell
        since = .now
    }

    private func takeOutgoing(limit: Int) {
        guard let pipe, phase == .established else { return }
        while flow.unsentBytes < limit, let outgoing = pipe.takeOutgoing(maxBytes: Self.writeBytes) {
            for frame in outgoing.frames { flow.unsent += frame }
            flow.batches.append((flow.unsent.count, outgoing.cost))
        }
    }

    /// Writes what there is, tells the pipe, and has the poller wait for what is wanted next.
    private func settle(_ events: [Event]) -> [Event] {
        guard phase != .gone, phase != .connecting else { return events }
        var events = events
        let hadUnsent = flow.unsentBytes > 0
        while true {
            takeOutgoing(limit: Self.writeBytes)
            guard flow.unsentBytes > 0, write() else { break }
        }
        if hadUnsent, pipe == nil, phase == .established, flow.unsentBytes == 0 { events.append(.drained) }
        if flow.endsAfter, flow.unsentBytes == 0 {
            if flow.hasPeerEnded { return close(events) }
            flow.endsAfter = false
            socket.endWriting()
        } else if phase == .farewell, flow.hasPeerEnded, flow.unsentBytes == 0 {
            return close(events)
        }
        if let pipe, phase == .established { flow.isReadPaused = !pipe.hasRoom }
        let wanted = (
            read: !flow.hasPeerEnded && (phase != .established || !flow.isReadPaused), write: flow.unsentBytes > 0
        )
        if wanted != flow.interest {
            flow.interest = wanted
            poller.change(socket.descriptor, tag: tag, wantsRead: wanted.read, wantsWrite: wanted.write)
        }
        return events
    }

    /// `false` when the system takes no more now.
    private func write() -> Bool {
        switch socket.write(flow.unsent[flow.position...]) {
        case .moved(let count):
            progress = .now
            let cost = flow.sent(count, keeping: Self.writeBytes)
            if cost > 0 { pipe?.didSend(cost: cost) }
            return true
        case .wouldBlock: return false
        case .ended, .broken:
            // Reading says how it ended, and what had come before.
            flow.drop()
            return false
        }
    }

    private func close(_ events: [Event]) -> [Event] {
        phase = .gone
        poller.remove(socket.descriptor)
        socket.close()
        pipe?.fail(.closed)
        return events + [.gone]
    }
}
