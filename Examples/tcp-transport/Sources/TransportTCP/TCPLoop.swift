import Transport
import TransportKit

/// The thread that owns the sockets: accepts, dials, moves bytes, and ends what takes too long.
final class TCPLoop {
    private enum Role {
        case dialled, accepted
        /// For messages from, or to, a peer.
        case inbound(PeerAddress)
        case outbound(PeerAddress)

        var isAccepted: Bool {
            if case .dialled = self { false } else if case .outbound = self { false } else { true }
        }
    }

    /// Messages to one peer: the connection, where there is one, and when it was dialled.
    private struct Link {
        let dialledAt = ContinuousClock.now
        var tag: UInt64?
    }

    private static let listenerTag: UInt64 = 0
    private static let wakeupTag: UInt64 = 1
    /// Between two attempts to reach a peer with messages, and after the process has run out of descriptors.
    private static let retryInterval: Duration = .milliseconds(250)
    /// The acceptor closes after 30 s: the dialler has closed before, so that no message meets a closed connection.
    private static let linkLimits = StreamConnection.Limits(idle: .seconds(20))
    /// After that a link to a host that was cut off is made anew.
    private static let unacknowledgedLimit: Duration = .seconds(10)
    /// What goes to one peer before others have their turn.
    private static let bytesPerTurn = 256 * 1024
    /// How long the last messages may take when the node stops.
    private static let farewell: Duration = .seconds(1)

    private let node: TCPTransport
    private let poller: Poller
    private var entries: [UInt64: (connection: StreamConnection, role: Role)] = [:]
    /// Of the connections that carry exchanges.
    private var tags: [ObjectIdentifier: UInt64] = [:]
    private var links: [PeerAddress: Link] = [:]
    /// Peers that may take more messages.
    private var ready: Set<PeerAddress> = []
    private var timers = Timers<UInt64>()
    private var lastTag = wakeupTag

    private init(_ node: TCPTransport) throws(TransportError) {
        (self.node, poller) = (node, try Poller())
        try poller.add(node.listener.descriptor, tag: Self.listenerTag)
        try poller.add(node.wakeup.descriptor, tag: Self.wakeupTag)
    }

    /// Returns once the node is told to stop, and every socket is closed.
    static func run(_ node: TCPTransport) -> Result<Void, TransportError> {
        Result { () throws(TransportError) in
            let loop = try TCPLoop(node)
            defer { loop.end() }
            while try loop.turn() {}
        }
    }

    private func turn() throws(TransportError) -> Bool {
        let due = [timers.earliest(), node.inlets.events.reportDue, ready.isEmpty ? nil : .now].compactMap { $0 }
        let news = try poller.wait(until: due.min())
        node.wakeup.take()
        var isStopping = false
        for order in node.takeOrders() {
            switch order {
            case .dial(let pipe, let peer, let channel): dial(pipe, peer, channel)
            case .hear(let signal, let pipe):
                if let tag = tags[ObjectIdentifier(pipe)] { act(on: tag) { $0.hear(signal) } }
            case .serve(let peer): ready.insert(peer)
            case .stop: isStopping = true
            }
        }
        for item in news {
            if item.tag == Self.listenerTag { acceptAll() } else { act(on: item.tag) { $0.handle(item) } }
        }
        for peer in ready {
            ready.remove(peer)
            serve(peer)
        }
        // What has come is read before deadlines are judged: with a full batch there may be more.
        while news.count < Poller.batch, let tag = timers.popDue(at: .now) {
            act(on: tag) { $0.expire(at: .now) }
            if tag == Self.listenerTag { poller.change(node.listener.descriptor, tag: tag, wantsWrite: false) }
        }
        node.inlets.events.report()
        return !isStopping
    }

    /// Sends what the network takes at once. Exchanges that nobody has closed break.
    private func end() {
        poller.remove(node.listener.descriptor)
        node.listener.close()
        for peer in links.keys { pump(peer, maxBytes: .max) }
        for (tag, (connection, role)) in entries {
            var breaks = connection.isEstablished && connection.carriedPipe?.phase != .closing
            if case .outbound = role { breaks = false }
            act(on: tag) { breaks ? $0.abort() : $0.end() }
        }
        let deadline = ContinuousClock.now + Self.farewell
        while !entries.isEmpty, .now < deadline, let news = try? poller.wait(until: deadline) {
            node.wakeup.take()
            for item in news { act(on: item.tag) { $0.handle(item) } }
        }
        for tag in entries.keys { act(on: tag) { $0.abort() } }
    }
}

// MARK: Connections

extension TCPLoop {
    private func acceptAll() {
        var isOutOfDescriptors = true
        while let (socket, peer) = node.listener.accept() {
            isOutOfDescriptors = false
            guard entries.values.count(where: \.role.isAccepted) < node.maxConnections else {
                node.inlets.events.refused(.tooManyExchanges, peer, isAnyPort: true)
                _ = socket.write(TCPWire.streams.tooManyRefusal[...])
                continue
            }
            // Without it the socket is closed.
            _ = add(socket, peer, .accepted, .acceptor)
        }
        guard isOutOfDescriptors else { return }
        // The connection that waits would wake the loop again and again.
        poller.change(node.listener.descriptor, tag: Self.listenerTag, wantsRead: false, wantsWrite: false)
        timers.set(Self.listenerTag, at: .now + Self.retryInterval)
    }

    private func dial(_ pipe: ExchangePipe, _ peer: PeerAddress, _ channel: Channel) {
        // Given up meanwhile.
        guard pipe.phase == .opening else { return node.endDial(pipe, .closed) }
        do throws(ExchangeError) {
            let limits = StreamConnection.Limits(handshake: node.dialTimeout)
            tags[ObjectIdentifier(pipe)] = try connect(to: peer, .dialled, channel, pipe: pipe, limits: limits)
        } catch {
            node.endDial(pipe, error)
        }
    }

    private func connect(
        to peer: PeerAddress, _ role: Role, _ channel: Channel?, pipe: ExchangePipe? = nil,
        limits: StreamConnection.Limits
    ) throws(ExchangeError) -> UInt64 {
        let socket = try StreamSocket.connect(to: peer, from: node.boundAddress)
        if channel == nil { socket.limitUnacknowledged(to: Self.unacknowledgedLimit) }
        let opening = TCPWire.opening(channel, port: node.boundAddress.port)
        if let tag = add(socket, peer, role, .dialler(opening: opening), pipe: pipe, limits: limits) { return tag }
        throw .busy
    }

    /// `nil` where the system has no memory for it.
    private func add(
        _ socket: StreamSocket, _ peer: PeerAddress, _ role: Role, _ side: StreamSession.Role,
        pipe: ExchangePipe? = nil, limits: StreamConnection.Limits = StreamConnection.Limits()
    ) -> UInt64? {
        lastTag += 1
        let session = StreamSession(role: side, protocol: TCPWire.streams, key: node.subkey)
        let connection = try? StreamConnection(
            socket, peer: peer, session: session, isConnecting: !role.isAccepted, pipe: pipe, limits: limits,
            poller: poller, tag: lastTag
        ) { [node] in TCPWire.read($0)?.channel == nil ? nil : node.makePipe() }
        guard let connection else { return nil }
        entries[lastTag] = (connection, role)
        arm(lastTag)
        return lastTag
    }

    private func arm(_ tag: UInt64) {
        if let deadline = entries[tag]?.connection.deadline { timers.set(tag, at: deadline) }
    }

    /// Has a connection do something, and acts on what comes of it.
    private func act(on tag: UInt64, _ body: (StreamConnection) -> [StreamConnection.Event]) {
        guard let (connection, role) = entries[tag] else { return }
        var arrivals = PerChannel<[Arrival]>(repeating: [])
        for event in body(connection) {
            switch event {
            case .established(let opening):
                if case .accepted = role { establish(tag, connection, opening) }
            case .message(let frame):
                guard case .inbound(let peer) = entries[tag]?.role,
                    let (arrival, channel) = TCPWire.arrival(frame, from: peer)
                else { node.drop(.malformed); continue }
                arrivals[channel].append(arrival)
            case .failed(let error, let refusal):
                if error == .tooLarge { node.drop(.malformed) }
                if let refusal { node.inlets.events.refused(refusal, connection.peer, isAnyPort: true) }
            case .gone: remove(tag)
            }
        }
        for channel in Channel.allCases { node.deliver(arrivals[channel], on: channel) }
        arm(tag)
        if case .outbound(let peer) = entries[tag]?.role { ready.insert(peer) }
    }

    private func establish(_ tag: UInt64, _ connection: StreamConnection, _ opening: [UInt8]) {
        guard let (channel, port) = TCPWire.read(opening) else { return }
        guard let channel, let pipe = connection.carriedPipe else {
            entries[tag]?.role = .inbound(connection.peer.with(port: port))
            return
        }
        node.locked { $0.stats.openExchanges += 1 }
        tags[ObjectIdentifier(pipe)] = tag
        node.inlets.deliver(PipeExchange(peer: connection.peer, pipe: pipe), on: channel)
    }

    private func remove(_ tag: UInt64) {
        guard let (connection, role) = entries.removeValue(forKey: tag) else { return }
        timers.cancel(tag)
        if case .outbound(let peer) = role { unlink(peer) }
        guard let pipe = connection.carriedPipe, tags.removeValue(forKey: ObjectIdentifier(pipe)) != nil else { return }
        if case .dialled = role { node.endDial(pipe, .closed) } else { node.locked { $0.stats.openExchanges -= 1 } }
    }
}

// MARK: Messages to one peer

extension TCPLoop {
    /// Sends what waits, over the connection that is there or is made now. A peer that was just dialled in vain is not dialled
    /// again at once.
    private func serve(_ peer: PeerAddress) {
        let last = links[peer]
        if last?.tag != nil { return pump(peer, maxBytes: Self.bytesPerTurn) }
        if let last, last.dialledAt + Self.retryInterval > .now { return node.giveUp(peer) }
        links = links.filter { $0.value.tag != nil || $0.value.dialledAt + Self.retryInterval > .now }
        links[peer] = Link()
        links[peer]?.tag = try? connect(to: peer, .outbound(peer), nil, limits: Self.linkLimits)
        if links[peer]?.tag == nil { unlink(peer) }
    }

    private func pump(_ peer: PeerAddress, maxBytes: Int) {
        guard let tag = links[peer]?.tag, let connection = entries[tag]?.connection, connection.isEstablished,
            connection.unsentBytes == 0
        else { return }
        let messages = node.takeMessages(for: peer, maxBytes: maxBytes)
        if messages.isEmpty { return }
        for message in messages { connection.send(TCPWire.frame(message)) }
        act(on: tag) { $0.flush() }
    }

    /// The connection has ended, or was not made: what waits goes nowhere.
    private func unlink(_ peer: PeerAddress) {
        links[peer]?.tag = nil
        ready.remove(peer)
        node.giveUp(peer)
    }
}
