public import Keys
public import Transport

/// The connections of a stream plugin: accepting within a bound, dialling, waiting, deadlines and the farewell. Confined to
/// the owner thread.
///
/// The plugin says what each connection is for (`Purpose`) and acts on the news that come back:
///
///     for news in try streams.wait(until: nil) { … }    // until something has happened, or `wakeup` was signalled
///     for order in orders { … streams.dial(…), streams.hear(…), streams.act(…) }
public final class StreamLoop<Purpose> {
    /// What has happened to one connection.
    public struct News {
        /// Of the connection.
        public let tag: UInt64
        /// May be gone already: then `events` ends with `gone`.
        public let connection: StreamConnection
        /// What the connection was for before these events.
        public let purpose: Purpose
        /// In order.
        public let events: [StreamConnection.Event]
    }

    private struct Entry {
        let connection: StreamConnection
        let isAccepted: Bool
        var purpose: Purpose
    }

    private struct Acceptor {
        let listener: StreamSocket
        /// Connections that peers make, counted from their first byte.
        let limit: Int
        let purpose: Purpose
        let limits: StreamConnection.Limits
        let makePipe: ([UInt8]) -> ExchangePipe?
        var count = 0
    }

    private static var listenerTag: UInt64 { 0 }
    private static var wakeupTag: UInt64 { 1 }
    /// After the process has run out of descriptors: a connection that waits would wake the loop again and again.
    private static var retryInterval: Duration { .milliseconds(250) }
    /// Batches of the poller that are read in one turn, and connections that are accepted, before others have their turn.
    private static var maxBatches: Int { 8 }
    private static var maxAcceptedAtOnce: Int { 64 }

    private let wire: StreamProtocol
    private let key: Subkey?
    private let wakeup: Wakeup
    private let events: EventSink
    private let poller: Poller
    private var acceptor: Acceptor
    private var table = Table()
    private var timers = Timers<UInt64>()

    /// Connections by tag, and the tags of those that carry an exchange.
    private struct Table {
        var entries: [UInt64: Entry] = [:]
        var tags: [ObjectIdentifier: UInt64] = [:]
        var lastTag = StreamLoop.wakeupTag
    }

    /// Accepts at `listener` up to `maxAccepted` connections at a time, each for `accepted` at first and within `limits`; `makePipe` gives a pipe
    /// for an opening that asks for an exchange, `nil` for others. Beyond that number a peer is told so, and `events` that it
    /// was refused. Throws `failed` when the system is out of descriptors.
    public init(
        _ listener: StreamSocket, protocol wire: StreamProtocol, key: Subkey?, wakeup: Wakeup, events: EventSink,
        maxAccepted: Int, accepted: Purpose, limits: StreamConnection.Limits = .init(),
        makePipe: @escaping ([UInt8]) -> ExchangePipe?
    ) throws(TransportError) {
        (self.wire, self.key, self.wakeup, self.events) = (wire, key, wakeup, events)
        poller = try Poller()
        acceptor = Acceptor(
            listener: listener, limit: maxAccepted, purpose: accepted, limits: limits, makePipe: makePipe)
        try poller.add(listener.descriptor, tag: Self.listenerTag)
        try poller.add(wakeup.descriptor, tag: Self.wakeupTag)
    }

    /// Waits for news, for `wakeup`, or until `deadline`; accepts, reads, and ends what takes too long. Also reports what
    /// `events` has counted. Throws `failed` where waiting itself fails.
    public func wait(until deadline: ContinuousClock.Instant?) throws(TransportError) -> [News] {
        var due = [deadline, timers.earliest(), events.reportDue].compactMap { $0 }.min()
        var news: [News] = []
        // What has come is read before deadlines are judged: with a full batch there may be more. Not for ever, since peers
        // that never stop sending would have no deadline then, nor would others.
        for _ in 0..<Self.maxBatches {
            let ready = try poller.wait(until: due)
            wakeup.take()
            for one in ready {
                if one.tag == Self.listenerTag { acceptSome() } else { news += act(on: one.tag) { $0.handle(one) } }
            }
            guard ready.count == Poller.batch else { break }
            due = .now
        }
        while let tag = timers.popDue(at: .now) {
            if tag == Self.listenerTag {
                poller.change(acceptor.listener.descriptor, tag: tag, wantsWrite: false)
            } else {
                news += act(on: tag) { $0.expire(at: .now) }
            }
        }
        events.report()
        return news
    }

    // MARK: Connections

    /// The connection, unless it is gone.
    public subscript(tag: UInt64) -> StreamConnection? { table.entries[tag]?.connection }

    /// From now on the connection is for `purpose`.
    public func set(_ purpose: Purpose, of tag: UInt64) { table.entries[tag]?.purpose = purpose }

    /// Begins to dial, from the host of `source` with a port of the system's. `pipe`: the exchange that is dialled. The plugin
    /// bounds how many it dials. Throws why it failed at once; `busy` where the system has no memory for it.
    public func dial(
        _ peer: PeerAddress, from source: PeerAddress, opening: [UInt8], for purpose: Purpose,
        pipe: ExchangePipe? = nil, limits: StreamConnection.Limits
    ) throws(ExchangeError) -> UInt64 {
        let socket = try StreamSocket.connect(to: peer, from: source)
        guard let tag = add(socket, peer, .dialler(opening: opening), purpose, pipe, limits) else { throw .busy }
        return tag
    }

    /// Tells the connection that carries `pipe` what its user has done.
    public func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) -> [News] {
        guard let tag = table.tags[ObjectIdentifier(pipe)] else { return [] }
        return act(on: tag) { $0.hear(signal) }
    }

    /// Has a connection do something: what came of it, at most one.
    public func act(on tag: UInt64, _ body: (StreamConnection) -> [StreamConnection.Event]) -> [News] {
        guard let entry = table.entries[tag] else { return [] }
        let connection = entry.connection
        let events = body(connection)
        if case .gone = events.last {
            remove(tag, entry)
        } else {
            if let pipe = connection.carriedPipe { table.tags[ObjectIdentifier(pipe)] = tag }
            arm(tag, connection)
        }
        if events.isEmpty { return [] }
        return [News(tag: tag, connection: connection, purpose: entry.purpose, events: events)]
    }

    /// Accepts nothing more and ends every connection: what is unsent goes out, but an exchange that nobody has closed breaks.
    /// Returns when all are gone, at the latest after `limit`.
    public func end(within limit: Duration, _ take: (News) -> Void) {
        poller.remove(acceptor.listener.descriptor)
        acceptor.listener.close()
        for (tag, entry) in table.entries {
            let isCutOff = entry.connection.carriedPipe.map { $0.phase != .closing } ?? false
            act(on: tag) { isCutOff ? $0.abort() : $0.end() }.forEach(take)
        }
        let deadline = ContinuousClock.now + limit
        while !table.entries.isEmpty, .now < deadline, let ready = try? poller.wait(until: deadline) {
            wakeup.take()
            for one in ready { act(on: one.tag) { $0.handle(one) }.forEach(take) }
        }
        for tag in table.entries.keys { act(on: tag) { $0.abort() }.forEach(take) }
    }

    private func acceptSome() {
        for _ in 0..<Self.maxAcceptedAtOnce {
            switch acceptor.listener.accept() {
            case .connection(let socket, let peer): accept(socket, from: peer)
            case .gone: continue
            case .none: return
            case .outOfDescriptors:
                poller.change(
                    acceptor.listener.descriptor, tag: Self.listenerTag, wantsRead: false, wantsWrite: false)
                return timers.set(Self.listenerTag, at: .now + Self.retryInterval)
            }
        }
    }

    private func accept(_ socket: StreamSocket, from peer: PeerAddress) {
        guard acceptor.count < acceptor.limit else {
            events.refused(.tooManyExchanges, peer, isAnyPort: true)
            _ = socket.write(wire.tooManyRefusal[...])
            return
        }
        // Without room in the poller the socket is closed.
        _ = add(socket, peer, .acceptor, acceptor.purpose, nil, acceptor.limits)
    }

    /// `nil` where the system has no memory for it.
    private func add(
        _ socket: StreamSocket, _ peer: PeerAddress, _ role: StreamSession.Role, _ purpose: Purpose,
        _ pipe: ExchangePipe?, _ limits: StreamConnection.Limits
    ) -> UInt64? {
        table.lastTag += 1
        let (tag, isAccepted) = (table.lastTag, role == .acceptor)
        let session = StreamSession(role: role, protocol: wire, key: key)
        let connection = try? StreamConnection(
            socket, peer: peer, session: session, isConnecting: !isAccepted, pipe: pipe, limits: limits,
            poller: poller, tag: tag, accept: acceptor.makePipe)
        guard let connection else { return nil }
        table.entries[tag] = Entry(connection: connection, isAccepted: isAccepted, purpose: purpose)
        if isAccepted { acceptor.count += 1 }
        if let pipe { table.tags[ObjectIdentifier(pipe)] = tag }
        arm(tag, connection)
        return tag
    }

    private func arm(_ tag: UInt64, _ connection: StreamConnection) {
        if let deadline = connection.deadline { timers.set(tag, at: deadline) }
    }

    private func remove(_ tag: UInt64, _ entry: Entry) {
        table.entries[tag] = nil
        if entry.isAccepted { acceptor.count -= 1 }
        if let pipe = entry.connection.carriedPipe { table.tags[ObjectIdentifier(pipe)] = nil }
        timers.cancel(tag)
    }
}
