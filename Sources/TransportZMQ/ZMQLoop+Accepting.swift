internal import CSockets
import Transport

/// Who has connected to a bound socket, as far as its monitor tells.
struct Listener {
    /// By descriptor; absent where the connection was gone before it could be asked.
    private var hosts: [CInt: PeerAddress] = [:]
    private(set) var count = 0
    private var failure: Refusal?

    /// Connections that did not come in: what to report, and from where.
    mutating func note(_ event: ConnectionEvent, hasKey: Bool) -> (Refusal, PeerAddress?)? {
        switch event {
        case .accepted(let descriptor):
            count += 1
            hosts[descriptor] = Self.address(of: descriptor)
        case .handshakeFailed(.mechanism): failure = hasKey ? .clearText : .sealed
        case .handshakeFailed(.key): failure = .otherKey
        case .handshakeFailed, .connected, .established, .connectFailed: failure = nil
        case .disconnected(let descriptor):
            // One thread tells of all connections, the end of each right behind its failure.
            count = max(0, count - 1)
            let address = hosts.removeValue(forKey: descriptor)
            defer { failure = nil }
            return failure.map { ($0, address) }
        }
        return nil
    }

    private static func address(of descriptor: CInt) -> PeerAddress? {
        var host = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        let length = cs_peer_address(descriptor, &host, &port)
        return length > 0 ? PeerAddress(hostBytes: host[..<Int(length)], port: port) : nil
    }
}

/// What the answerer of libzmq's questions says (ZAP, RFC 27).
enum Authentication {
    static let welcome: UInt32 = 200
    static let unknownKey: UInt32 = 400
    /// The bound on connections is reached.
    static let full: UInt32 = 500
}

/// Links that others make: who may connect, hello and welcome, and how a lost one is noticed.
extension ZMQLoop {
    // MARK: Connections

    /// The monitors of the ROUTER and of the XPUB.
    func note(_ event: ConnectionEvent, isRouter: Bool) {
        let refused = listeners[isRouter ? 0 : 1].note(event, hasKey: keys != nil)
        if let (refusal, address) = refused {
            port.events.dropped(refusal == .clearText ? .clearText : .otherKey)
            if let address { port.events.refused(refusal, address, isAnyPort: true) }
        } else if case .handshakeFailed(.malformed) = event {
            port.events.dropped(.malformed)
        }
        if isRouter, case .disconnected = event, lossCheck == nil { lossCheck = .now + Self.lossDelay }
    }

    /// libzmq asks whether a connection may be: of a client with a key, whether it is the cluster's; of every one,
    /// whether there is room.
    func authenticate() {
        guard authenticator.events.isReadable else { return }
        while let request = authenticator.receiveMessage() {
            // Version, request id, domain, address, identity, mechanism, credentials.
            let status: UInt32
            if request.count < 6 || request[0] != Array("1.0".utf8) {
                status = Authentication.unknownKey
            } else if let keys, request.count != 7 || !keys.isClient(request[6]) {
                status = Authentication.unknownKey
            } else if listeners.contains(where: { $0.count > configuration.maxConnections }) {
                status = Authentication.full
            } else {
                status = Authentication.welcome
            }
            let id = request.count > 1 ? request[1] : []
            let answer = [Array("1.0".utf8), id, Array("\(status)".utf8), [], [], []]
            for (index, frame) in answer.enumerated() {
                _ = authenticator.send(frame, hasMore: index < answer.count - 1)
            }
        }
    }

    // MARK: Links

    func receiveFromRouter() {
        guard router.events.isReadable else { return }
        for _ in 0..<Self.turnLimit {
            guard let (id, hasBody) = router.receive({ (Array($0.bytes), $0.hasMore) }) else { break }
            guard hasBody else {
                port.events.dropped(.malformed)
                continue
            }
            let body = router.receive { frame in
                // Asking for the host costs a look-up, so only where it is needed.
                let host = accepted[id] == nil ? frame.peerHost : nil
                return (Self.decode(frame), host, frame.hasMore)
            }
            guard let (message, host, hasMore) = body else { break }
            if hasMore {
                _ = router.receiveMessage()
                port.events.dropped(.malformed)
            } else {
                take(message, from: id, host: host)
            }
        }
    }

    static func decode(_ frame: borrowing Frame) -> Result<LinkMessage, WireError> {
        do throws(WireError) {
            return .success(try LinkMessage.decode(frame.bytes))
        } catch {
            return .failure(error)
        }
    }

    private func take(_ result: Result<LinkMessage, WireError>, from id: [UInt8], host: PeerAddress.Host?) {
        guard let link = accepted[id] else {
            if case .success(.hello(let hello)) = result, let host {
                greet(hello, from: id, at: PeerAddress(host: host, port: hello.port))
            } else {
                // Also from a link that was given up here: the other side is to begin anew.
                port.events.dropped(.malformed)
                let refusal = LinkMessage.refusal(versions: configuration.versions).encoded()
                _ = Link(address: addresses.router, socket: router, routingID: id).transmit(refusal)
            }
            return
        }
        link.lastHeard = .now
        switch result {
        case .success(.open(let number, let channel)): accept(number, channel, over: link)
        case .success(.unicast(let channel, let message)):
            batches[Int(channel.rawValue)].append(
                Arrival(message: message, sender: link.address, delivery: .unicast))
        case .success(.subscribed): port.events.queue.append([.connected(link.address)])
        case .success(let message): takeExchangeMessage(message, from: link)
        case .failure(let error): count(error)
        }
        if link.hasWaiting { pump(link) }
    }

    private func greet(_ hello: Hello, from id: [UInt8], at address: PeerAddress) {
        let link = Link(address: address, socket: router, routingID: id)
        guard hello.commonVersion(with: configuration.versions) != nil else {
            port.events.refused(.otherVersion, address)
            port.events.dropped(.unsupported)
            _ = link.transmit(LinkMessage.refusal(versions: configuration.versions).encoded())
            return
        }
        guard accepted.count < configuration.maxConnections else {
            port.events.dropped(.unsupported)
            return
        }
        link.onStreamGone = { [unowned self, unowned link] stream in release(stream, of: link) }
        guard link.transmit(LinkMessage.welcome(ownHello).encoded()) == .sent else { return }
        accepted[id] = link
    }

    /// Sends what waits for a link of another node. There is no word of when a full one has room again: it is tried.
    func pump(_ link: Link) {
        switch link.pump() {
        case .sent: break
        case .full: if link.isOverwhelmed { forget(link) } else { isRouterFull = true }
        case .unroutable, .failed: forget(link)
        }
    }

    func pumpAccepted() {
        isRouterFull = false
        for link in accepted.values where link.hasFullSocket { pump(link) }
    }

    /// Links whose connection is gone say so when something is sent.
    func findLostLinks(where isSuspect: (Link) -> Bool) {
        for link in accepted.values where isSuspect(link) {
            if link.transmit(LinkMessage.ping.encoded()) == .unroutable { forget(link) }
        }
    }

    private func forget(_ link: Link) {
        link.failAll(.closed)
        accepted = accepted.filter { $0.value !== link }
    }
}
