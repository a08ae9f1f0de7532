internal import CLibZMQ
import Transport

/// Links that this node makes: dialling, the welcome, failures and their reasons, and who is dialled again.
extension ZMQLoop {
    // MARK: Peers

    /// Links and subscriptions follow the list: newcomers are dialled, those who are gone are disconnected.
    func setPeers(_ list: [Peer]) {
        var wanted: [PeerAddress: Channels] = [:]
        for peer in list { wanted[peer.address] = peer.channels }
        for (address, state) in peers where wanted[address] == nil {
            if let subscription = state.subscription { close(subscription) }
            peers[address] = nil
            if let dial = dials[address], dial.link.streams.isEmpty, dial.waiting.isEmpty {
                lose(dial, .closed, isWanted: true)
            }
        }
        var newcomers: Set<PeerAddress> = []
        for (address, channels) in wanted {
            if peers[address] != nil {
                peers[address]?.channels = channels
                continue
            }
            newcomers.insert(address)
            peers[address] = PeerState(channels: channels, hello: dials[address]?.hello)
            if dials[address] == nil { dial(address) } else { subscribe(to: address) }
        }
        areDialsChanged = true
        guard !newcomers.isEmpty else { return }
        // Some may have subscribed before they were peers.
        for link in accepted.values where newcomers.contains(link.address) { reportConnected(link) }
    }

    /// What libzmq is to connect to. Where this node is bound to one address it also connects from there: the other side
    /// knows it by that.
    func endpoint(_ address: PeerAddress) -> String {
        guard let source = source(towards: address) else { return "tcp://\(address)" }
        return "tcp://\(source);\(address)"
    }

    private func source(towards address: PeerAddress) -> PeerAddress? {
        let own = addresses.router
        return own.isUnspecified || own.isV6 != address.isV6 ? nil : own.with(port: 0)
    }

    // MARK: Dialling

    /// The link to an address, made where there is none; `nil` when none can be made now.
    @discardableResult
    func dial(_ address: PeerAddress) -> Dial? {
        if let dial = dials[address] { return dial }
        guard dials.count < configuration.maxLinks else {
            noteFailure(of: address)
            return nil
        }
        do throws(TransportError) {
            let dial = try makeDial(address)
            dials[address] = dial
            areDialsChanged = true
            return dial
        } catch {
            // Out of sockets or descriptors: others may be closed by the time of the next try.
            noteFailure(of: address)
            return nil
        }
    }

    private func makeDial(_ address: PeerAddress) throws(TransportError) -> Dial {
        let socket = try Socket(.dealer, in: context)
        let dial = Dial(
            address: address, socket: socket, tally: tally, until: .now + configuration.answerTimeout)
        do throws(TransportError) {
            try keys?.secureClient(socket)
            try socket.set(SocketKind.family(of: address))
            dial.monitor = try monitor(socket) { [unowned self, unowned dial] event, _ in note(event, of: dial) }
            dial.source = try poller.add(socket) { [unowned self, unowned dial] in serve(dial) }
            dial.link.onStreamGone = { [unowned self] stream in links[ObjectIdentifier(stream)] = nil }
            guard socket.connect(endpoint(address)) else { throw .failed(reason: Socket.lastError) }
        } catch {
            close(dial)
            throw error
        }
        // It waits in the pipe until there is a connection.
        _ = dial.link.transmit(LinkMessage.hello(ownHello).encoded())
        return dial
    }

    var ownHello: Hello {
        let published = addresses.publisher
        let isElsewhere = !published.isUnspecified && published.host != addresses.router.host
        return Hello(
            versions: configuration.versions, stream: streamID, port: addresses.router.port,
            publishPort: published.port, publishHost: isElsewhere ? published.host : nil)
    }

    func close(_ dial: Dial) {
        if case .probing(let probe, _) = dial.state { probe.close() }
        dial.state = .over
        if let source = dial.source { poller.remove(source) }
        dial.source = nil
        dial.monitor?.close()
        dial.monitor = nil
        dial.socket.close()
    }

    /// The link is over. Who waits for it is told why; a peer is dialled again. `isWanted`: it ends since nobody needs it.
    func lose(_ dial: Dial, _ error: ExchangeError, isWanted: Bool = false) {
        guard !dial.isOver else { return }
        let wasUp = dial.isUp
        // What was just handed over, such as the end of an exchange, is to go out.
        if isWanted, wasUp { try? dial.socket.set(ZMQ_LINGER, SocketKind.farewellMilliseconds) }
        port.events.dropped(.unreachable, count: dial.link.dropUnicasts())
        close(dial)
        dial.link.failAll(.closed)
        for stream in dial.waiting {
            links[ObjectIdentifier(stream)] = nil
            stream.fail(error)
        }
        dial.waiting = []
        if dials[dial.address] === dial { dials[dial.address] = nil }
        areDialsChanged = true
        if wasUp {
            if peers[dial.address] != nil { port.events.queue.append([.disconnected(dial.address)]) }
            backOffs[dial.address] = nil
        }
        if !isWanted { noteFailure(of: dial.address) }
    }

    /// Plans the next dial of a peer, and keeps mere messages from dialling before.
    private func noteFailure(of address: PeerAddress) {
        let backOff = BackOff(after: backOffs[address])
        if backOffs.count < configuration.maxLinks || backOffs[address] != nil { backOffs[address] = backOff }
        peers[address]?.nextDial = backOff.until
        areDialsChanged = true
    }

    // MARK: Time

    var earliestDialDeadline: ContinuousClock.Instant? {
        var earliest: ContinuousClock.Instant?
        func note(_ instant: ContinuousClock.Instant) { earliest = min(earliest ?? instant, instant) }
        for (address, dial) in dials {
            if let deadline = dial.deadline {
                note(deadline)
            } else if peers[address] == nil {
                note(dial.lastUsed + configuration.strangerTimeout)
            }
        }
        for (address, state) in peers {
            if dials[address] == nil { note(state.nextDial ?? .now) }
            if let deadline = subscriptionDeadline(of: state) { note(deadline) }
        }
        return earliest
    }

    func advanceDials(to now: ContinuousClock.Instant) {
        areDialsChanged = true
        for (address, dial) in dials {
            if let deadline = dial.deadline {
                if deadline <= now { lose(dial, .noAnswer) }
            } else if peers[address] == nil, dial.lastUsed + configuration.strangerTimeout <= now {
                if dial.link.streams.isEmpty { lose(dial, .closed, isWanted: true) } else { dial.lastUsed = now }
            }
        }
        for (address, state) in peers {
            if dials[address] == nil, state.nextDial ?? now <= now { dial(address) }
            advanceSubscription(of: address, to: now)
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
        case .handshakeFailed(.mechanism), .handshakeFailed(.key): lose(dial, .otherKey)
        case .handshakeFailed(.denied):
            lose(dial, .otherKey)
        case .handshakeFailed(.malformed), .handshakeFailed(.ended): findReason(dial)
        case .disconnected:
            guard case .connecting = dial.state else {
                // What came before the end is still there.
                if dial.isUp {
                    receive(dial)
                    lose(dial, .closed)
                }
                return
            }
            receive(dial)
            // Between the handshake and the welcome: what listens there is no node, or it is just stopping.
            if !dial.isOver { lose(dial, .closed) }
        }
    }

    private func findReason(_ dial: Dial) {
        guard case .connecting(let deadline) = dial.state else { return }
        // Only an exchange is told why.
        guard !dial.waiting.isEmpty else { return lose(dial, .noAnswer) }
        do throws(StrangerProbe.AtOnce) {
            let probe = try StrangerProbe(dial.address, from: source(towards: dial.address), poller: poller) {
                [unowned self, unowned dial] finding in
                lose(dial, error(for: finding))
            }
            dial.state = .probing(probe, until: deadline)
            areDialsChanged = true
        } catch {
            lose(dial, self.error(for: error.finding))
        }
    }

    private func error(for finding: StrangerProbe.Finding) -> ExchangeError {
        switch finding {
        case .refused: .refused
        case .noAnswer: .noAnswer
        // Where both have keys and the handshake fails, the keys do not fit.
        case .zmtp(let mechanism): mechanism == "NULL" && keys == nil ? .otherTransport : .otherKey
        case .stranger: .otherTransport
        }
    }

    /// The dealer has something to say, or has room.
    private func serve(_ dial: Dial) {
        receive(dial)
        if !dial.isOver { pump(dial) }
    }

    private func receive(_ dial: Dial) {
        guard dial.socket.events.isReadable else { return }
        let now = ContinuousClock.now
        for _ in 0..<Self.turnLimit {
            guard !dial.isOver else { return }
            let result = dial.socket.receive { frame -> Result<LinkMessage, WireError> in
                do throws(WireError) { return .success(try LinkMessage.decode(frame.bytes)) } catch {
                    return .failure(error)
                }
            }
            guard let result else { break }
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
                guard let stream = dial.link.streams[number], !stream.opened() else { return }
                dial.link.note(stream)
            } else {
                takeExchangeMessage(message, from: dial.link)
            }
        case .failure(let error):
            guard dial.isUp else { return lose(dial, .otherTransport) }
            count(error)
        }
    }

    private func welcome(_ hello: Hello, from dial: Dial) {
        guard case .connecting = dial.state else { return }
        guard hello.commonVersion(with: configuration.versions) != nil else { return lose(dial, .otherVersion) }
        dial.state = .up(hello)
        dial.lastUsed = .now
        areDialsChanged = true
        backOffs[dial.address] = nil
        peers[dial.address]?.nextDial = nil
        peers[dial.address]?.hello = hello
        subscribe(to: dial.address)
        // The link that was to say so may have been lost before it could.
        if peers[dial.address]?.subscription?.isHeard == true { dial.link.enqueue(.subscribed) }
        let waiting = dial.waiting
        dial.waiting = []
        for stream in waiting { begin(stream, over: dial) }
        pump(dial)
    }

    /// Sends what waits for a link of this node.
    func pump(_ dial: Dial) {
        guard dial.isUp else { return }
        // Asking is what takes the room in that the I/O thread has made.
        guard dial.link.hasWaiting, dial.socket.events.isWritable else { return }
        if dial.link.pump() == .failed { lose(dial, .closed) }
    }
}
