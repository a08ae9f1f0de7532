internal import CSockets
import Transport

/// Who has connected to a bound socket, as far as its monitor tells.
struct Listener {
    /// By descriptor; absent where the connection was gone before it could be asked.
    private var hosts: [CInt: PeerAddress] = [:]
    private var failure: Refusal?
    private let ownPort: UInt16

    /// `ownPort`: what the socket is bound to.
    init(ownPort: UInt16) { self.ownPort = ownPort }

    /// A connection that did not come in: what to report, and from where. 0.0.0.0:0 where it was gone before it could be
    /// asked.
    mutating func note(_ event: ConnectionEvent, hasKey: Bool) -> (Refusal, PeerAddress)? {
        switch event {
        case .accepted(let descriptor): hosts[descriptor] = address(of: descriptor)
        case .handshakeFailed(.mechanism): failure = hasKey ? .clearText : .sealed
        case .handshakeFailed(.key), .handshakeFailed(.denied): failure = .otherKey
        case .handshakeFailed, .connected, .established, .connectFailed: failure = nil
        case .disconnected(let descriptor):
            // One thread tells of all connections, the end of each right behind its failure.
            let address = hosts.removeValue(forKey: descriptor)
            defer { failure = nil }
            return failure.map { ($0, address ?? PeerAddress(host: .v4(0), port: 0)) }
        }
        return nil
    }

    private func address(of descriptor: CInt) -> PeerAddress? {
        // The connection may be gone already, and its number given to one of another socket.
        guard cs_own_port(descriptor) == ownPort else { return nil }
        var host = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        let length = cs_peer_address(descriptor, &host, &port)
        return length > 0 ? PeerAddress(hostBytes: host[..<Int(length)], port: port) : nil
    }
}

/// Links that others make: who may connect, hello and welcome, and how a lost one is noticed.
extension ZMQLoop {
    // MARK: Connections

    /// The monitors of the ROUTER and of the XPUB.
    func note(_ event: ConnectionEvent, isRouter: Bool) {
        let refused = listeners[isRouter ? 0 : 1].note(event, hasKey: keys != nil)
        if let (refusal, address) = refused {
            port.events.dropped(refusal == .clearText ? .clearText : .otherKey)
            port.events.refused(refusal, address, isAnyPort: true)
        } else if case .handshakeFailed(.malformed) = event {
            port.events.dropped(.malformed)
        }
        guard isRouter, case .disconnected(let descriptor) = event else { return }
        endedDescriptors.insert(descriptor)
        if lossCheck == nil { lossCheck = .now + Self.lossDelay }
    }

    /// libzmq asks whether a client with a key may come in: only with the cluster's.
    func authenticate() {
        guard authenticator.events.isReadable else { return }
        while let request = authenticator.receiveMessage() {
            // Version, request id, domain, address, identity, mechanism, credentials.
            let isWelcome = request.count == 7 && request[0] == Array("1.0".utf8) && keys?.isClient(request[6]) == true
            let id = request.count > 1 ? request[1] : []
            let answer = [Array("1.0".utf8), id, Array((isWelcome ? "200" : "400").utf8), [], [], []]
            for (index, frame) in answer.enumerated() {
                _ = authenticator.send(frame, hasMore: index < answer.count - 1)
            }
        }
    }

    // MARK: Links

    func receiveFromRouter() {
        guard router.events.isReadable else { return }
        let now = ContinuousClock.now
        var bytes = 0
        for _ in 0..<Self.turnLimit where bytes < Self.turnBytes {
            guard let (sender, hasBody) = router.receive({ (sender(of: $0), $0.hasMore) }) else { break }
            guard hasBody else {
                port.events.dropped(.malformed)
                continue
            }
            let body = router.receive { frame in
                bytes += frame.bytes.count
                // Asking for the host costs a look-up, so only where it is needed.
                let origin = sender.link == nil ? frame.peerHost.map { ($0, frame.descriptor) } : nil
                return (Self.decode(frame), origin, frame.hasMore)
            }
            guard let (message, origin, hasMore) = body else { break }
            if hasMore {
                _ = router.receiveMessage()
                port.events.dropped(.malformed)
            } else if let link = sender.link {
                take(message, from: link, at: now)
            } else {
                takeFirst(message, from: sender.id, origin)
            }
        }
    }

    /// Whose message begins with this frame.
    private func sender(of frame: borrowing Frame) -> (id: [UInt8], link: Link?) {
        if let link = lastAccepted, let id = link.routingID, id.elementsEqual(frame.bytes) { return (id, link) }
        let id = Array(frame.bytes)
        lastAccepted = accepted[id]
        return (id, lastAccepted)
    }

    static func decode(_ frame: borrowing Frame) -> Result<LinkMessage, WireError> {
        do throws(WireError) {
            return .success(try LinkMessage.decode(frame.bytes))
        } catch {
            return .failure(error)
        }
    }

    /// From a connection without a link.
    private func takeFirst(
        _ result: Result<LinkMessage, WireError>, from id: [UInt8], _ origin: (host: PeerAddress.Host, CInt)?
    ) {
        if case .success(.hello(let hello)) = result, let (host, descriptor) = origin {
            return greet(hello, from: id, at: PeerAddress(host: host, port: hello.port), descriptor)
        }
        // Also from a link that was given up here: the other side is to begin anew.
        port.events.dropped(.malformed)
        let refusal = LinkMessage.refusal(versions: configuration.versions).encoded()
        _ = Link(address: addresses.router, socket: router, routingID: id).transmit(refusal)
    }

    private func take(
        _ result: Result<LinkMessage, WireError>, from link: Link, at now: ContinuousClock.Instant
    ) {
        link.lastHeard = now
        switch result {
        case .success(.open(let number, let channel)): accept(number, channel, over: link)
        case .success(.unicast(let channel, let message)):
            link.noteArrived(message.count)
            batches[Int(channel.rawValue)].append(
                Arrival(message: message, sender: link.address, delivery: .unicast))
        case .success(.unicasts(let channel, let messages)):
            link.noteArrived(messages.reduce(0) { $0 + LinkMessage.packedOverheadBytes + $1.count })
            let sender = link.address
            batches[Int(channel.rawValue)] += messages.lazy.map {
                Arrival(message: $0, sender: sender, delivery: .unicast)
            }
        case .success(.subscribed):
            // A peer subscribes again no sooner than a subscription can be lost and made.
            let isNews = link.subscribedAt.map { now - $0 >= BackOff.range.lowerBound / 2 } ?? true
            link.subscribedAt = now
            if isNews, peers[link.address] != nil { reportConnected(link) }
        case .success(let message): takeExchangeMessage(message, from: link)
        case .failure(let error): count(error)
        }
        if link.hasWaiting { pump(link) }
    }

    private func greet(_ hello: Hello, from id: [UInt8], at address: PeerAddress, _ descriptor: CInt) {
        let link = Link(address: address, socket: router, routingID: id, descriptor: descriptor)
        guard hello.commonVersion(with: configuration.versions) != nil else {
            port.events.refused(.otherVersion, address)
            port.events.dropped(.unsupported)
            _ = link.transmit(LinkMessage.refusal(versions: configuration.versions).encoded())
            return
        }
        guard hasRoom(for: address.host) else {
            port.events.dropped(.unsupported)
            return
        }
        link.onStreamGone = { [unowned self] stream in noteOver(stream) }
        guard link.transmit(LinkMessage.welcome(ownHello).encoded()) == .sent else { return }
        accepted[id] = link
        linksByHost[address.host, default: 0] += 1
    }

    /// Whether one more link may come from there. Where there is none left those that are dead are looked for first.
    private func hasRoom(for host: PeerAddress.Host) -> Bool {
        func isFree() -> Bool {
            accepted.count < configuration.maxConnections
                && linksByHost[host, default: 0] < max(1, configuration.maxConnections / 4)
        }
        if isFree() { return true }
        if let last = lastSearch, .now - last < .seconds(1) { return false }
        lastSearch = .now
        findLostLinks { _ in true }
        return isFree()
    }

    /// A peer gets what is broadcast from now on.
    func reportConnected(_ link: Link) {
        if link.subscribedAt != nil { port.events.queue.append([.connected(link.address)]) }
    }

    /// Sends what waits for a link of another node. There is no word of when a full one has room again: it is tried.
    func pump(_ link: Link) {
        switch link.pump() {
        case .sent: link.fullSince = nil
        case .full:
            let since = link.fullSince ?? .now
            link.fullSince = since
            // Who asks and does not read, or reads nothing for long, has no link any more.
            if link.isOverwhelmed || .now - since >= configuration.idleTimeout {
                forget(link)
            } else {
                isRouterFull = true
            }
        case .unroutable, .failed: forget(link)
        }
    }

    func pumpAccepted() {
        isRouterFull = false
        for link in accepted.values where link.fullSince != nil { pump(link) }
    }

    /// Links whose connection is gone say so when something is sent.
    func findLostLinks(where isSuspect: (Link) -> Bool) {
        for link in accepted.values where isSuspect(link) {
            if link.transmit(LinkMessage.ping.encoded()) == .unroutable { forget(link) }
        }
    }

    private func forget(_ link: Link) {
        guard let id = link.routingID, accepted.removeValue(forKey: id) != nil else { return }
        if lastAccepted === link { lastAccepted = nil }
        link.failAll(.closed)
        let left = linksByHost[link.address.host, default: 1] - 1
        linksByHost[link.address.host] = left > 0 ? left : nil
    }
}
