import Transport
import TransportKit

/// The links that this node makes: dialling, the welcome, failures and their reasons, and who is dialled again. Confined to
/// the owner thread.
final class Dialler {
    /// Where unicasts to one address go.
    enum Way {
        case link(Dial)
        case nowhere(DropCause)
    }

    private let shared: SharedParts
    /// By the address dialled.
    private var dials: [PeerAddress: Dial] = [:]
    private var backOffs: BackOffTable
    /// The exchanges that this node opened, by pipe.
    private var exchanges: [ObjectIdentifier: (stream: ExchangeStream, dial: Dial)] = [:]
    /// Of dials and redials.
    private var deadline = CachedDeadline()
    /// Hears of every welcome once the link is up.
    private let onWelcome: (PeerAddress, Hello) -> Void

    init(_ shared: SharedParts, onWelcome: @escaping (PeerAddress, Hello) -> Void) {
        self.shared = shared
        self.onWelcome = onWelcome
        backOffs = BackOffTable(maxCount: shared.configuration.maxLinks)
    }

    // MARK: What others want

    /// The list of peers has changed.
    func notePeersChanged() { deadline.invalidate() }

    /// The address is no peer's any more: its link ends, unless an exchange uses the link.
    func release(_ address: PeerAddress) {
        if let dial = dials[address], !dial.link.hasStreams, !dial.hasWaiting {
            lose(dial, .closed, isWanted: true)
        }
    }

    /// What the peer there has said of itself; `nil` where no link is up.
    func hello(of address: PeerAddress) -> Hello? { dials[address]?.hello }

    /// The link to an address, made where there is none; `nil` when none can be made now.
    @discardableResult
    func dial(_ address: PeerAddress) -> Dial? {
        if let dial = dials[address] { return dial }
        do throws(TransportError) {
            guard dials.count < shared.configuration.maxLinks else { throw .failed(reason: "too many links") }
            let dial = try makeDial(address)
            dials[address] = dial
            deadline.invalidate()
            return dial
        } catch {
            // Out of links, sockets or descriptors: others may be closed by the time of the next try.
            noteFailure(of: address)
            return nil
        }
    }

    /// Where messages to an address go. The link is in use from now on.
    func way(to address: PeerAddress, on channel: Channel) -> Way {
        if shared.peers.takes(channel, address) == false { return .nowhere(.unsupported) }
        // Who could not be reached a moment ago is not dialled for each message.
        if dials[address] == nil, let end = backOffs.end(of: address), end > .now { return .nowhere(.unreachable) }
        guard let dial = dial(address) else { return .nowhere(.unreachable) }
        dial.lastUsed = .now
        return .link(dial)
    }

    /// Tells a peer that its broadcasts come in, where there is a link to it.
    func tellSubscribed(_ address: PeerAddress) {
        guard let dial = dials[address], dial.isUp else { return }
        dial.link.enqueue(.subscribed)
        pump(dial)
    }

    /// Sends what waits for a link.
    func pump(_ dial: Dial) {
        guard dial.isUp else { return }
        // Asking is what takes the room in that the I/O thread has made.
        guard dial.link.hasWaiting, dial.connection.socket.events.isWritable else { return }
        if dial.link.pump() == .failed { lose(dial, .closed) }
    }

    // MARK: Exchanges

    /// Whether there are exchanges that this node opened.
    var hasExchanges: Bool { !exchanges.isEmpty }

    /// A task wants an exchange.
    func open(_ stream: ExchangeStream, with address: PeerAddress) {
        guard stream.isOpening else { return }
        guard let dial = dial(address) else { return stream.fail(.busy) }
        exchanges[ObjectIdentifier(stream.pipe)] = (stream, dial)
        dial.lastUsed = .now
        if dial.isUp {
            begin(stream, over: dial)
            pump(dial)
        } else {
            dial.append(waiting: stream)
        }
    }

    /// Asks the peer for the exchange.
    private func begin(_ stream: ExchangeStream, over dial: Dial) {
        guard stream.isOpening else {
            exchanges[ObjectIdentifier(stream.pipe)] = nil
            return
        }
        let number = dial.link.add(stream)
        dial.link.enqueue(.open(exchange: number, stream.channel))
    }

    /// A task has sent, read or closed.
    func noteChange(of pipe: ExchangePipe) {
        guard let (stream, dial) = exchanges[ObjectIdentifier(pipe)] else { return }
        dial.lastUsed = .now
        if dial.isUp {
            dial.link.note(stream)
            pump(dial)
        } else if stream.look() == .isOver {
            dial.remove(waiting: stream)
            exchanges[ObjectIdentifier(stream.pipe)] = nil
        }
    }

    /// Ends exchanges on which nothing moves.
    func endStuckExchanges(at now: ContinuousClock.Instant, _ limits: ExchangeStream.Limits) {
        for dial in dials.values where dial.link.hasStreams {
            dial.link.endStuck(at: now, limits)
            pump(dial)
        }
    }

    // MARK: The beginning and the end of a link

    private func makeDial(_ address: PeerAddress) throws(TransportError) -> Dial {
        let connection = try ClientSocket(.dealer, in: shared.reactor)
        let link = Link(address: address, socket: connection.socket, tally: shared.traffic.unicasts) {
            [unowned self] stream in
            exchanges[ObjectIdentifier(stream.pipe)] = nil
        }
        let dial = Dial(link, over: connection, until: .now + shared.configuration.answerTimeout)
        do throws(TransportError) {
            try connection.connect(
                to: address, from: shared.local,
                onEvent: { [unowned self, unowned dial] event in note(event, of: dial) },
                onReady: { [unowned self, unowned dial] in serve(dial) })
        } catch {
            dial.close()
            throw error
        }
        // It waits in the pipe until there is a connection.
        _ = link.transmit(LinkMessage.hello(shared.local.hello).encoded())
        return dial
    }

    /// The link is over. Who waits for it is told why; a peer is dialled again. `isWanted`: it ends since nobody needs it.
    private func lose(_ dial: Dial, _ error: ExchangeError, isWanted: Bool = false) {
        guard !dial.isOver else { return }
        let wasUp = dial.isUp
        shared.events.dropped(.unreachable, count: dial.link.dropUnicasts())
        // What was just handed over, such as the end of an exchange, is to go out.
        dial.close(isLingering: isWanted && wasUp)
        dial.link.failAll(.closed)
        for stream in dial.takeWaiting() {
            exchanges[ObjectIdentifier(stream.pipe)] = nil
            stream.fail(error)
        }
        if dials[dial.address] === dial { dials[dial.address] = nil }
        deadline.invalidate()
        if wasUp {
            if shared.peers.contains(dial.address) { shared.events.queue.append([.disconnected(dial.address)]) }
            backOffs.reset(dial.address)
        }
        if !isWanted { noteFailure(of: dial.address) }
    }

    /// Plans the next dial of a peer, and keeps mere messages from dialling before.
    private func noteFailure(of address: PeerAddress) {
        backOffs.noteFailure(of: address, isPeer: shared.peers.contains(address))
        deadline.invalidate()
    }

    /// The node ends. What libzmq has is given a moment to go out.
    func close() {
        for dial in dials.values {
            dial.link.failAll(.closed)
            for stream in dial.takeWaiting() { stream.fail(.closed) }
            dial.close(isLingering: true)
        }
        dials = [:]
    }

    // MARK: Time

    /// When `advance` has something to do.
    var nextDeadline: ContinuousClock.Instant? {
        earlier(deadline.value { earliestDeadline }, backOffs.nextDeadline)
    }

    private var earliestDeadline: ContinuousClock.Instant? {
        var earliest: ContinuousClock.Instant?
        for (address, dial) in dials {
            if let deadline = dial.deadline {
                earliest = earlier(earliest, deadline)
            } else if !shared.peers.contains(address) {
                earliest = earlier(earliest, dial.lastUsed + shared.configuration.strangerTimeout)
            }
        }
        for address in shared.peers.addresses where dials[address] == nil {
            earliest = earlier(earliest, backOffs.end(of: address) ?? .now)
        }
        return earliest
    }

    /// Gives up what took too long, ends links that nobody uses, and dials peers again.
    func advance(to now: ContinuousClock.Instant) {
        if deadline.isDue(at: now) {
            deadline.invalidate()
            for (address, dial) in dials { advance(dial, isPeer: shared.peers.contains(address), to: now) }
            for address in shared.peers.addresses where dials[address] == nil {
                if backOffs.end(of: address) ?? now <= now { dial(address) }
            }
        }
        backOffs.advance(to: now)
    }

    private func advance(_ dial: Dial, isPeer: Bool, to now: ContinuousClock.Instant) {
        if let deadline = dial.deadline {
            if deadline <= now { lose(dial, .noAnswer) }
        } else if !isPeer, dial.lastUsed + shared.configuration.strangerTimeout <= now {
            if dial.link.hasStreams { dial.lastUsed = now } else { lose(dial, .closed, isWanted: true) }
        }
    }

    // MARK: What happens to a link

    private func note(_ event: ConnectionEvent, of dial: Dial) {
        switch event {
        case .connected, .established, .accepted: break
        case .connectFailed:
            // A connect that took its whole time was not refused.
            let isLate = .now - dial.startedAt >= .milliseconds(SocketKind.connectTimeoutMilliseconds)
            if isLate { lose(dial, .noAnswer) } else { findReason(dial) }
        case .handshakeFailed(.mechanism), .handshakeFailed(.key), .handshakeFailed(.denied): lose(dial, .otherKey)
        case .handshakeFailed(.malformed), .handshakeFailed(.ended): findReason(dial)
        case .disconnected:
            guard dial.isConnecting || dial.isUp else { return }
            // What came before the end is still there.
            receive(dial)
            // Between the handshake and the welcome. To libzmq some words of a stranger are a handshake of an old version;
            // a node that is just stopping does it too.
            if dial.isConnecting { findReason(dial, ofZMTP: .closed) } else { lose(dial, .closed) }
        }
    }

    /// `ofZMTP`: what it is where it does speak ZMTP; else the mechanism tells.
    private func findReason(_ dial: Dial, ofZMTP known: ExchangeError? = nil) {
        guard dial.isConnecting else { return }
        // Only an exchange is told why.
        guard dial.hasWaiting else { return lose(dial, .noAnswer) }
        let source = shared.local.source(towards: dial.address)
        do throws(StrangerProbe.AtOnce) {
            let probe = try StrangerProbe(dial.address, from: source, poller: shared.reactor.poller) {
                [unowned self, unowned dial] finding in
                lose(dial, finding.error(hasKey: shared.reactor.hasKey, ofZMTP: known))
            }
            dial.wait(for: probe)
            deadline.invalidate()
        } catch {
            lose(dial, error.finding.error(hasKey: shared.reactor.hasKey, ofZMTP: known))
        }
    }

    /// The dealer has something to say, or has room.
    private func serve(_ dial: Dial) {
        receive(dial)
        if !dial.isOver { pump(dial) }
    }

    private func receive(_ dial: Dial) {
        let socket = dial.connection.socket
        guard socket.events.isReadable else { return }
        let now = ContinuousClock.now
        for _ in 0..<ZMQLoop.turnLimit {
            guard !dial.isOver, let result = socket.receive(LinkMessage.result) else { return }
            dial.link.lastHeard = now
            take(result, from: dial)
        }
    }

    private func take(_ result: Result<LinkMessage, WireError>, from dial: Dial) {
        switch result {
        case .success(.welcome(let hello)): welcome(hello, from: dial)
        case .success(.refusal): lose(dial, .otherVersion)
        case .success(let message):
            guard dial.isUp else { return lose(dial, .otherTransport) }
            if case .accepted(let number) = message {
                guard let stream = dial.link.stream(number), !stream.opened() else { return }
                dial.link.note(stream)
            } else if !dial.link.take(message) {
                shared.events.dropped(.malformed)
            }
        case .failure(let error):
            guard dial.isUp else { return lose(dial, .otherTransport) }
            shared.events.dropped(error)
        }
    }

    private func welcome(_ hello: Hello, from dial: Dial) {
        guard dial.isConnecting else { return }
        guard hello.commonVersion(with: shared.configuration.versions) != nil else { return lose(dial, .otherVersion) }
        dial.welcome(hello)
        deadline.invalidate()
        backOffs.reset(dial.address)
        onWelcome(dial.address, hello)
        for stream in dial.takeWaiting() { begin(stream, over: dial) }
        pump(dial)
    }
}
