import Transport
import TransportKit

/// The thread that owns the sockets: carries out the orders of `TCPTransport`, and acts on what its connections bring.
final class TCPLoop {
    private enum Purpose {
        /// A peer's, of which nothing is known yet, or that carries an exchange.
        case accepted
        /// For an exchange of the node's own making.
        case dialled
        /// For messages from, or to, a peer.
        case inbound(PeerAddress)
        case outbound(PeerAddress)
    }

    /// Messages to one peer: the connection, where there is one, and when it was dialled.
    private struct Link {
        let dialledAt = ContinuousClock.now
        var tag: UInt64?
    }

    /// Between two attempts to reach a peer with messages.
    private static let retryInterval: Duration = .milliseconds(250)
    /// The acceptor closes after 30 s: the dialler has closed before, so that no message meets a closed connection. A link to
    /// a host that was cut off is made anew after 10 s.
    private static let linkLimits = StreamConnection.Limits(idle: .seconds(20), unacknowledged: .seconds(10))
    /// What goes to one peer before others have their turn.
    private static let bytesPerTurn = 256 * 1024
    /// How long the last messages may take when the node stops.
    private static let farewell: Duration = .seconds(1)

    private let node: TCPTransport
    private let streams: StreamLoop<Purpose>
    private var links: [PeerAddress: Link] = [:]
    /// Peers that may take more messages.
    private var ready: Set<PeerAddress> = []

    private init(_ node: TCPTransport) throws(TransportError) {
        self.node = node
        streams = try StreamLoop(
            node.listener, protocol: TCPWire.streams, key: node.subkey, wakeup: node.wakeup, events: node.inlets.events,
            maxAccepted: node.maxConnections, accepted: .accepted
        ) { [node] opening in TCPWire.read(opening)?.channel == nil ? nil : node.makePipe() }
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
        take(try streams.wait(until: ready.isEmpty ? nil : .now))
        var isStopping = false
        for order in node.takeOrders() {
            switch order {
            case .dial(let pipe, let peer, let channel): dial(pipe, peer, channel)
            case .hear(let signal, let pipe): take(streams.hear(signal, from: pipe))
            case .serve(let peer): ready.insert(peer)
            case .stop: isStopping = true
            }
        }
        for peer in ready {
            ready.remove(peer)
            serve(peer)
        }
        return !isStopping
    }

    /// Sends what the network takes at once.
    private func end() {
        for peer in links.keys { pump(peer, maxBytes: .max) }
        streams.end(within: Self.farewell) { take([$0]) }
    }

    private func dial(_ pipe: ExchangePipe, _ peer: PeerAddress, _ channel: Channel) {
        // Given up meanwhile.
        guard pipe.phase == .opening else { return node.endDial(pipe, .closed) }
        let limits = StreamConnection.Limits(handshake: node.dialTimeout)
        do throws(ExchangeError) {
            _ = try connect(to: peer, channel, for: .dialled, pipe, limits)
        } catch {
            node.endDial(pipe, error)
        }
    }

    private func connect(
        to peer: PeerAddress, _ channel: Channel?, for purpose: Purpose, _ pipe: ExchangePipe?,
        _ limits: StreamConnection.Limits
    ) throws(ExchangeError) -> UInt64 {
        let (own, opening) = (node.boundAddress, TCPWire.opening(channel, port: node.boundAddress.port))
        return try streams.dial(peer, from: own, opening: opening, for: purpose, pipe: pipe, limits: limits)
    }

    // MARK: What connections bring

    private func take(_ news: [StreamLoop<Purpose>.News]) {
        for one in news {
            var purpose = one.purpose
            var arrivals = PerChannel<[Arrival]>(repeating: [])
            for event in one.events {
                switch event {
                case .established(let opening):
                    if case .accepted = purpose { purpose = accept(one, opening) }
                    if case .outbound(let peer) = purpose { ready.insert(peer) }
                case .drained:
                    if case .outbound(let peer) = purpose { ready.insert(peer) }
                case .message(let frame):
                    guard case .inbound(let peer) = purpose, let (arrival, channel) = TCPWire.arrival(frame, from: peer)
                    else { node.drop(.malformed); continue }
                    arrivals[channel].append(arrival)
                case .failed(let error, let refusal):
                    if error == .tooLarge { node.drop(.malformed) }
                    if let refusal { node.inlets.events.refused(refusal, one.connection.peer, isAnyPort: true) }
                case .gone: forget(one.connection, purpose)
                }
            }
            for channel in Channel.allCases { node.deliver(arrivals[channel], on: channel) }
        }
    }

    /// A peer has shown what it wants: an exchange, or to send messages.
    private func accept(_ news: StreamLoop<Purpose>.News, _ opening: [UInt8]) -> Purpose {
        guard let (channel, port) = TCPWire.read(opening) else { return .accepted }
        if let channel, let pipe = news.connection.carriedPipe {
            node.locked { $0.openExchanges += 1 }
            node.inlets.deliver(PipeExchange(peer: news.connection.peer, pipe: pipe), on: channel)
            return .accepted
        }
        let purpose = Purpose.inbound(news.connection.peer.with(port: port))
        streams.set(purpose, of: news.tag)
        return purpose
    }

    private func forget(_ connection: StreamConnection, _ purpose: Purpose) {
        if case .outbound(let peer) = purpose { unlink(peer) }
        guard let pipe = connection.carriedPipe else { return }
        if case .dialled = purpose { node.endDial(pipe, .closed) } else { node.locked { $0.openExchanges -= 1 } }
    }

    // MARK: Messages to one peer

    /// Sends what waits, over the connection that is there or is made now. A peer that was just dialled in vain is not dialled
    /// again at once.
    private func serve(_ peer: PeerAddress) {
        let last = links[peer]
        if last?.tag != nil { return pump(peer, maxBytes: Self.bytesPerTurn) }
        if let last, last.dialledAt + Self.retryInterval > .now { return node.giveUp(peer) }
        links = links.filter { $0.value.tag != nil || $0.value.dialledAt + Self.retryInterval > .now }
        links[peer] = Link()
        links[peer]?.tag = try? connect(to: peer, nil, for: .outbound(peer), nil, Self.linkLimits)
        if links[peer]?.tag == nil { unlink(peer) }
    }

    private func pump(_ peer: PeerAddress, maxBytes: Int) {
        guard let tag = links[peer]?.tag, let connection = streams[tag], connection.isEstablished,
            connection.unsentBytes == 0
        else { return }
        let messages = node.takeMessages(for: peer, maxBytes: maxBytes)
        if messages.isEmpty { return }
        for message in messages { connection.send(TCPWire.frame(message)) }
        take(streams.act(on: tag) { $0.flush() })
    }

    /// The connection has ended, or was not made: what waits goes nowhere.
    private func unlink(_ peer: PeerAddress) {
        links[peer]?.tag = nil
        ready.remove(peer)
        node.giveUp(peer)
    }
}
