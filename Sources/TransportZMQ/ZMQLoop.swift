internal import CLibZMQ
internal import Glibc
import Keys
import Transport

/// What the owner thread does: everything that touches libzmq. It sleeps until a socket, an eventfd or a deadline wakes
/// it. Confined to that thread.
final class ZMQLoop {
    /// Largest broadcast frame: the marks of libzmq count messages, so that bytes are bounded by both.
    static let maxFrameBytes = 64 * 1024
    /// Time between looks at exchanges that may stand still, while there are any.
    static let sweepInterval: Duration = .seconds(1)
    /// How soon after a connection has ended the links are looked at: libzmq tells first and then takes it away.
    static let lossDelay: Duration = .milliseconds(20)
    /// A link that others made and that is silent for this long is tried.
    static let silenceLimit: Duration = .seconds(30)
    /// How often frames that had no room in the ROUTER are tried again: it does not say when there is room.
    static let retryInterval: Duration = .milliseconds(20)
    /// Least time between two beats: many may subscribe at once.
    static let beatInterval: Duration = .milliseconds(20)
    /// Messages that one socket gives in a turn before others get theirs.
    static let turnLimit = 256
    /// Bytes of messages after which a socket gives no more in a turn: what arrived is not to wait for what follows.
    static let turnBytes = 1024 * 1024

    let port: ZMQPort
    let configuration: ZMQTransportConfiguration
    let context: Context
    let poller: Poller
    let router: Socket
    let publisher: Socket
    let authenticator: Socket
    let keys: CurveKeys?
    /// The id of this start: what its broadcasts are numbered within.
    let streamID = UInt64.random(in: 1 ... .max)
    let addresses: ZMQPort.Addresses

    private var sources: [Poller.Source] = []
    private var monitors: [Monitor] = []
    private var lastMonitor = 0
    private var hasOrders = true

    /// Links of this node, by the address dialled.
    var dials: [PeerAddress: Dial] = [:]
    /// Addresses that could not be reached, and when they may be tried again for a mere message.
    var backOffs: [PeerAddress: BackOff] = [:]
    /// Links of others, by routing id.
    var accepted: [[UInt8]: Link] = [:]
    /// The one of them that something came from last: mostly the next frame is from it too.
    var lastAccepted: Link?
    var linksByHost: [PeerAddress.Host: Int] = [:]
    var peers: [PeerAddress: PeerState] = [:]
    /// Exchanges that peers opened, until both the link and the user have done with them.
    var openings: [ObjectIdentifier: AcceptedExchange] = [:]
    var exchangesByHost: [PeerAddress.Host: Int] = [:]
    /// The link of each exchange of this node.
    var links: [ObjectIdentifier: Dial] = [:]
    var heads = StreamHeads()
    var isBeatWanted = false
    var nextBeat = ContinuousClock.now
    /// Connections to the ROUTER and to the XPUB.
    var listeners: [Listener]
    var batches: [[Arrival]] = [[], []]
    /// By channel: what links had to send, what was broadcast, what arrived, and what others were told of all that last.
    let tally = UnicastTally()
    var broadcasts = [TransportStats.Traffic](repeating: .init(), count: Channel.allCases.count)
    private var received = [TransportStats.Traffic](repeating: .init(), count: Channel.allCases.count)
    private var published = [TransportStats.OfChannel](repeating: .init(), count: Channel.allCases.count)
    private var publishedExchanges = 0

    /// Deadlines of dials and redials; recomputed when one of them changes.
    var areDialsChanged = false
    private var dialDeadline: ContinuousClock.Instant?
    private var nextSweep: ContinuousClock.Instant?
    var lossCheck: ContinuousClock.Instant?
    /// Of connections to the ROUTER that have ended since the last look.
    var endedDescriptors: Set<CInt> = []
    /// When all links were last looked at for want of room.
    var lastSearch: ContinuousClock.Instant?
    private var nextSilenceCheck: ContinuousClock.Instant?
    private var nextRetry: ContinuousClock.Instant?
    /// A link of another node has frames that the ROUTER had no room for.
    var isRouterFull = false

    /// Makes all sockets and binds. Throws `addressInUse`, `cannotBind` or `failed`, and then leaves nothing open.
    init(port: ZMQPort) throws(TransportError) {
        self.port = port
        configuration = port.configuration
        keys = port.configuration.key.map(CurveKeys.init)
        poller = try Poller()
        // A link takes three of them, itself and a pair for its monitor, and a subscription as many.
        let context = try Context(maxSockets: CInt(clamping: 64 + 6 * port.configuration.maxLinks))
        var made: [Socket] = []
        do throws(TransportError) {
            func make(_ kind: SocketKind) throws(TransportError) -> Socket {
                let socket = try Socket(kind, in: context)
                made.append(socket)
                return socket
            }
            // Bound before any socket that asks it.
            authenticator = try make(.authenticator)
            try authenticator.bind(inProcess: "zeromq.zap.01")
            router = try make(.router)
            publisher = try make(.publisher)
            for socket in [router, publisher] {
                try keys?.secureServer(socket)
                // Only then is anybody asked.
                if keys != nil { try socket.set(ZMQ_ZAP_DOMAIN, Array(CurveKeys.domain.utf8)) }
            }
            addresses = try Self.bind(router, publisher, configuration)
        } catch {
            for socket in made { socket.close() }
            context.end()
            throw error
        }
        self.context = context
        listeners = [Listener(ownPort: addresses.router.port), Listener(ownPort: addresses.publisher.port)]
    }

    private static func bind(
        _ router: Socket, _ publisher: Socket, _ configuration: ZMQTransportConfiguration
    ) throws(TransportError) -> ZMQPort.Addresses {
        func bind(_ socket: Socket, _ address: PeerAddress) throws(TransportError) -> PeerAddress {
            try socket.set(SocketKind.family(of: address))
            return try socket.bind(address)
        }
        let bound = try bind(router, configuration.bindAddress)
        let published = try bind(publisher, configuration.publishAddress ?? configuration.bindAddress.with(port: 0))
        return ZMQPort.Addresses(router: bound, publisher: published)
    }

    // MARK: The thread

    /// Runs until told to stop, or until something fails for good. Closes everything.
    func run() -> Result<Void, TransportError> {
        defer { closeAll() }
        do throws(TransportError) {
            sources.append(try poller.add(port.wakeDescriptor) { [unowned self] in hasOrders = true })
            // Nothing moves before `run`; what others want until then waits in the port.
            while !port.mayRun {
                if port.isStopRequested { return .success(()) }
                try poller.turn(timeout: nil)
                port.takeWake()
            }
            try watch()
            while true {
                if hasOrders {
                    hasOrders = false
                    let orders = port.takeOrders()
                    apply(orders)
                    if orders.isStopping { return .success(()) }
                    hasOrders = orders.hasMore
                }
                finishTurn()
                try poller.turn(timeout: hasOrders ? .zero : timeout)
            }
        } catch {
            return .failure(error)
        }
    }

    private func watch() throws(TransportError) {
        sources.append(try poller.add(router) { [unowned self] in receiveFromRouter() })
        sources.append(try poller.add(publisher) { [unowned self] in receiveSubscriptions() })
        sources.append(try poller.add(authenticator) { [unowned self] in authenticate() })
        for socket in [router, publisher] {
            monitors.append(
                try monitor(socket) { [unowned self] event, _ in note(event, isRouter: socket === router) })
        }
    }

    /// Events of a socket, until the monitor is closed.
    func monitor(
        _ socket: Socket, handle: @escaping (ConnectionEvent, String) -> Void
    ) throws(TransportError) -> Monitor {
        lastMonitor += 1
        return try Monitor(socket, name: "monitor-\(lastMonitor)", in: context, poller: poller, handle: handle)
    }

    private func apply(_ orders: ZMQPort.Orders) {
        if let list = orders.peers { setPeers(list) }
        for channel in Channel.allCases {
            let batch = orders.commands[Int(channel.rawValue)]
            port.events.dropped(.sendQueueFull, count: batch.lost)
            carryOut(batch.commands, on: channel)
        }
        for opening in orders.openings { open(opening.stream, with: opening.peer) }
        for stream in orders.changed { noteChange(of: stream) }
        for stream in orders.dropped { noteDropped(stream) }
        for continuation in orders.counting { continuation.resume(returning: counts) }
    }

    /// What is due, and what the sources of this turn have gathered.
    private func finishTurn() {
        for channel in Channel.allCases where !batches[Int(channel.rawValue)].isEmpty {
            for arrival in batches[Int(channel.rawValue)] {
                received[Int(channel.rawValue)].add(bytes: arrival.message.count)
            }
            let lost = port.arrivals[Int(channel.rawValue)].append(batches[Int(channel.rawValue)])
            batches[Int(channel.rawValue)] = []
            if lost > 0 { port.events.dropped(.receiveQueueFull, count: lost) }
        }
        let now = ContinuousClock.now
        if let deadline = dialDeadline, deadline <= now { advanceDials(to: now) }
        if let due = lossCheck, due <= now {
            lossCheck = nil
            let ended = endedDescriptors
            endedDescriptors = []
            findLostLinks { ended.contains($0.descriptor) }
        }
        if let due = nextSweep, due <= now { endStuckExchanges(at: now) }
        if let due = nextSilenceCheck, due <= now {
            nextSilenceCheck = nil
            findLostLinks { now - $0.lastHeard >= Self.silenceLimit }
            backOffs = backOffs.filter { $0.value.until > now }
        }
        if let due = nextRetry, due <= now {
            nextRetry = nil
            pumpAccepted()
        }
        if isBeatWanted, nextBeat <= now { publishBeat() }
        port.events.report()
        publishStats()
        planTimers(at: now)
    }

    private func publishStats() {
        for channel in Channel.allCases {
            let index = Int(channel.rawValue)
            var stats = TransportStats.OfChannel()
            stats.sent.messages = tally.sent[index].messages + broadcasts[index].messages
            stats.sent.bytes = tally.sent[index].bytes + broadcasts[index].bytes
            stats.received = received[index]
            stats.sendQueue = tally.waiting[index]
            guard stats != published[index] else { continue }
            published[index] = stats
            port.publish(stats, on: channel)
        }
        guard openings.count != publishedExchanges else { return }
        publishedExchanges = openings.count
        port.publish(acceptedExchanges: openings.count)
    }

    private func planTimers(at now: ContinuousClock.Instant) {
        if areDialsChanged {
            areDialsChanged = false
            dialDeadline = earliestDialDeadline
        }
        let hasExchanges = !openings.isEmpty || !links.isEmpty
        nextSweep = hasExchanges ? nextSweep ?? now + Self.sweepInterval : nil
        let hasOthers = !accepted.isEmpty || !backOffs.isEmpty
        nextSilenceCheck = hasOthers ? nextSilenceCheck ?? now + Self.silenceLimit : nil
        nextRetry = isRouterFull ? nextRetry ?? now + Self.retryInterval : nil
    }

    /// Time until the next deadline; `nil` when there is none, so that an idle node does not wake up.
    private var timeout: Duration? {
        let deadlines = [
            dialDeadline, nextSweep, lossCheck, nextSilenceCheck, nextRetry, port.events.reportDue,
            isBeatWanted ? nextBeat : nil,
        ]
        return deadlines.compactMap { $0 }.min().map { max(.zero, $0 - .now) }
    }

    private func endStuckExchanges(at now: ContinuousClock.Instant) {
        nextSweep = nil
        let limits = ExchangeStream.Limits(
            answer: configuration.answerTimeout, idle: configuration.idleTimeout, linger: configuration.lingerTimeout)
        for link in accepted.values where !link.streams.isEmpty {
            link.endStuck(at: now, limits)
            pump(link)
        }
        for dial in dials.values where !dial.link.streams.isEmpty {
            dial.link.endStuck(at: now, limits)
            pump(dial)
        }
    }

    private var counts: ZMQCounts {
        ZMQCounts(
            sources: poller.count, links: dials.count, acceptedLinks: accepted.count,
            exchanges: openings.count + links.count,
            subscriptions: peers.values.count { $0.subscription != nil })
    }

    /// What libzmq has is given a moment to go out; then every socket, the context and its threads are gone.
    private func closeAll() {
        for link in accepted.values { link.failAll(.closed) }
        for dial in dials.values {
            dial.link.failAll(.closed)
            for stream in dial.waiting { stream.fail(.closed) }
            try? dial.socket.set(ZMQ_LINGER, SocketKind.farewellMilliseconds)
            close(dial)
        }
        for subscription in peers.values.compactMap(\.subscription) { close(subscription) }
        try? publisher.set(ZMQ_LINGER, SocketKind.farewellMilliseconds)
        try? router.set(ZMQ_LINGER, SocketKind.farewellMilliseconds)
        for monitor in monitors { monitor.close() }
        for source in sources { poller.remove(source) }
        for socket in [router, publisher, authenticator] { socket.close() }
        context.end()
    }
}

extension PeerAddress {
    /// Whether it is an IPv6 address.
    var isV6: Bool {
        if case .v6 = host { true } else { false }
    }
}
