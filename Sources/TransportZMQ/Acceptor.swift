import Transport
import TransportKit

/// The links that others make to the ROUTER: hello and welcome, what comes over them, and how a lost one is noticed.
/// Confined to the owner thread.
final class Acceptor {
    /// How often frames that had no room in the ROUTER are tried again: it does not say when there is room.
    static let retryInterval: Duration = .milliseconds(20)

    private let shared: SharedParts
    private let router: BoundSocket
    private let exchanges: AcceptedExchanges
    private var links: AcceptedLinks
    private var losses = LossWatch()
    /// When links are tried again that the ROUTER had no room for.
    private var nextRetry: ContinuousClock.Instant?

    init(_ shared: SharedParts, router: BoundSocket, exchanges: AcceptedExchanges) {
        self.shared = shared
        self.router = router
        self.exchanges = exchanges
        links = AcceptedLinks(maxCount: shared.configuration.maxConnections)
    }

    /// Takes links from now on. Throws `failed`.
    func watch() throws(TransportError) {
        try router.watch(
            onReady: { [unowned self] in receive() },
            onEnd: { [unowned self] descriptor in losses.noteEnd(of: descriptor) })
    }

    /// The node ends. What libzmq has is given a moment to go out.
    func close() {
        for link in links.all { link.link.failAll(.closed) }
        router.close()
    }

    // MARK: Connected peers

    /// These are peers now; some may have subscribed before.
    func reportConnected(_ newcomers: [PeerAddress]) {
        guard !newcomers.isEmpty else { return }
        let newcomers = Set(newcomers)
        for link in links.all where newcomers.contains(link.address) { reportConnected(link) }
    }

    /// A peer gets what is broadcast from now on.
    private func reportConnected(_ link: AcceptedLink) {
        if link.subscribedAt != nil { shared.events.queue.append([.connected(link.address)]) }
    }

    // MARK: Exchanges

    /// Whether there are exchanges that peers opened.
    var hasExchanges: Bool { !exchanges.isEmpty }

    /// A task has sent, read or closed. `false` when no peer opened the exchange.
    func noteChange(of pipe: ExchangePipe) -> Bool {
        guard let entry = exchanges[pipe] else { return false }
        entry.link.link.note(entry.stream)
        pump(entry.link)
        exchanges.release(pipe)
        return true
    }

    /// Nobody holds the exchange any more.
    func noteDropped(_ pipe: ExchangePipe) { exchanges.noteDropped(pipe) }

    /// Ends exchanges on which nothing moves.
    func endStuckExchanges(at now: ContinuousClock.Instant, _ limits: ExchangeStream.Limits) {
        for link in links.all where link.link.hasStreams {
            link.link.endStuck(at: now, limits)
            pump(link)
        }
    }

    /// A peer wants an exchange.
    private func accept(_ number: UInt32, _ channel: Channel, over accepted: AcceptedLink) {
        let link = accepted.link
        guard link.stream(number) == nil else { return link.reset(number, .closed) }
        guard exchanges.hasRoom(for: link.address.host) else {
            shared.events.refused(.tooManyExchanges, link.address)
            return link.enqueue(.reset(exchange: number, .busy))
        }
        link.add(exchanges.add(channel, over: accepted), number: number)
        link.enqueue(.accepted(exchange: number))
    }

    // MARK: What arrives

    private func receive() {
        let socket = router.socket
        guard socket.events.isReadable else { return }
        let now = ContinuousClock.now
        var bytes = 0
        for _ in 0..<ZMQLoop.turnLimit where bytes < ZMQLoop.turnBytes {
            guard let (sender, hasBody) = socket.receive({ (links.sender($0.bytes), $0.hasMore) }) else { break }
            guard hasBody else {
                shared.events.dropped(.malformed)
                continue
            }
            let body = socket.receive { frame in
                bytes += frame.bytes.count
                // Asking for the host costs a look-up, so only where it is needed.
                let origin = sender.link == nil ? frame.peerHost.map { ($0, frame.descriptor) } : nil
                return (LinkMessage.result(frame), origin, frame.hasMore)
            }
            guard let (message, origin, hasMore) = body else { break }
            if hasMore {
                _ = socket.receiveMessage()
                shared.events.dropped(.malformed)
            } else if let link = sender.link {
                take(message, from: link, at: now)
            } else {
                takeFirst(message, from: sender.id, origin)
            }
        }
    }

    private func take(
        _ result: Result<LinkMessage, WireError>, from accepted: AcceptedLink, at now: ContinuousClock.Instant
    ) {
        let link = accepted.link
        link.lastHeard = now
        switch result {
        case .success(.open(let number, let channel)): accept(number, channel, over: accepted)
        case .success(.unicast(let channel, let message)):
            link.noteArrived(message.count)
            shared.traffic.append(message, from: link.address, .unicast, on: channel)
        case .success(.unicasts(let channel, let messages)):
            link.noteArrived(messages.reduce(0) { $0 + LinkMessage.packedOverheadBytes + $1.count })
            shared.traffic.append(unicasts: messages, from: link.address, on: channel)
        case .success(.subscribed):
            let isNews = accepted.noteSubscribed(at: now)
            if isNews, shared.peers.contains(link.address) { reportConnected(accepted) }
        case .success(let message):
            if !link.take(message) { shared.events.dropped(.malformed) }
        case .failure(let error): shared.events.dropped(error)
        }
        if link.hasWaiting { pump(accepted) }
    }

    /// From a connection without a link.
    private func takeFirst(
        _ result: Result<LinkMessage, WireError>, from id: [UInt8], _ origin: (host: PeerAddress.Host, CInt)?
    ) {
        if case .success(.hello(let hello)) = result, let (host, descriptor) = origin {
            return greet(hello, from: id, at: PeerAddress(host: host, port: hello.port), descriptor)
        }
        // Also from a link that was given up here: the other side is to begin anew.
        shared.events.dropped(.malformed)
        refuse(Link(address: router.address, socket: router.socket, routingID: id))
    }

    private func greet(_ hello: Hello, from id: [UInt8], at address: PeerAddress, _ descriptor: CInt) {
        let link = Link(address: address, socket: router.socket, routingID: id) { [unowned exchanges] stream in
            exchanges.noteOver(stream)
        }
        guard hello.commonVersion(with: shared.configuration.versions) != nil else {
            shared.events.refused(.otherVersion, address)
            shared.events.dropped(.unsupported)
            return refuse(link)
        }
        guard hasRoom(for: address.host) else {
            shared.events.dropped(.unsupported)
            return
        }
        guard link.transmit(LinkMessage.welcome(shared.local.hello).encoded()) == .sent else { return }
        links.insert(AcceptedLink(link, id: id, descriptor: descriptor))
        losses.noteLink()
    }

    private func refuse(_ link: Link) {
        _ = link.transmit(LinkMessage.refusal(versions: shared.configuration.versions).encoded())
    }

    // MARK: Sending

    /// Sends what waits for a link. There is no word of when a full one has room again: it is tried.
    private func pump(_ link: AcceptedLink) {
        switch link.link.pump() {
        case .sent: link.note(isFull: false)
        case .full:
            let isStuck = link.note(isFull: true).map { .now - $0 >= shared.configuration.idleTimeout } ?? false
            // Who asks and does not read, or reads nothing for long, has no link any more.
            if link.link.isOverwhelmed || isStuck {
                forget(link)
            } else if nextRetry == nil {
                nextRetry = .now + Self.retryInterval
            }
        case .unroutable, .failed: forget(link)
        }
    }

    // MARK: Links that are gone

    /// When `advance` has something to do.
    var nextDeadline: ContinuousClock.Instant? { earlier(losses.nextDeadline, nextRetry) }

    /// Tries links that may be gone, and those that had no room.
    func advance(to now: ContinuousClock.Instant) {
        if let suspicion = losses.takeSuspicion(at: now) {
            forgetLostLinks { suspicion.concerns($0) }
            if !links.isEmpty { losses.noteLink() }
        }
        if let due = nextRetry, due <= now {
            nextRetry = nil
            for link in links.all where link.fullSince != nil { pump(link) }
        }
    }

    /// Whether one more link may come from there. Where there is no room, links that are gone are looked for first.
    private func hasRoom(for host: PeerAddress.Host) -> Bool {
        if links.hasRoom(for: host) { return true }
        guard losses.maySearch() else { return false }
        forgetLostLinks { _ in true }
        return links.hasRoom(for: host)
    }

    /// A link whose connection is gone says so when something is sent.
    private func forgetLostLinks(where isSuspect: (AcceptedLink) -> Bool) {
        for link in links.all where isSuspect(link) {
            if link.link.transmit(LinkMessage.ping.encoded()) == .unroutable { forget(link) }
        }
    }

    private func forget(_ link: AcceptedLink) {
        if links.remove(link) { link.link.failAll(.closed) }
    }
}
