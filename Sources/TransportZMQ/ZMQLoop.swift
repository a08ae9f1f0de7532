import DequeModule
import Transport
import TransportKit

/// The owner thread: everything that touches libzmq. It sleeps until a socket, the port or a deadline wakes it, and lets the
/// part that is concerned do its work. Confined to that thread.
final class ZMQLoop {
    /// Time between looks at exchanges that may stand still, while there are any.
    static let sweepInterval: Duration = .seconds(1)
    /// Messages that one socket gives in a turn before others get theirs.
    static let turnLimit = 256
    /// Bytes of messages after which a socket gives no more in a turn: what arrived is not to wait for what follows.
    static let turnBytes = 1024 * 1024

    private let port: ZMQPort
    private let shared: SharedParts
    private let acceptor: Acceptor
    private let publisher: Publisher
    // Each of the two tells the other through this class.
    private lazy var dialler = Dialler(shared) { [unowned self] address, hello in noteWelcome(hello, of: address) }
    private lazy var subscriber = Subscriber(shared) { [unowned self] address in dialler.tellSubscribed(address) }
    private var hasOrders = true
    private var nextSweep: ContinuousClock.Instant?

    /// Makes all sockets and binds, on any thread; from `run` on they are the thread's. Throws `addressInUse`, `cannotBind` or `failed`, and then leaves nothing open.
    init(port: ZMQPort) throws(TransportError) {
        let configuration = port.configuration
        let reactor = try ZMQReactor(configuration, events: port.inlets.events)
        var bound: [BoundSocket] = []
        do throws(TransportError) {
            bound.append(try BoundSocket(.router, at: configuration.bindAddress, in: reactor))
            let publishAddress = configuration.publishAddress ?? configuration.bindAddress.with(port: 0)
            bound.append(try BoundSocket(.publisher, at: publishAddress, in: reactor))
        } catch {
            for socket in bound { socket.close() }
            reactor.close()
            throw error
        }
        let addresses = LocalEnd.Addresses(router: bound[0].address, publisher: bound[1].address)
        self.port = port
        shared = SharedParts(
            reactor: reactor, local: LocalEnd(addresses: addresses, versions: configuration.versions))
        acceptor = Acceptor(shared, router: bound[0], exchanges: AcceptedExchanges(port: port))
        publisher = Publisher(shared, publisher: bound[1])
    }

    /// Where the ROUTER and the XPUB listen.
    var addresses: LocalEnd.Addresses { shared.local.addresses }

    /// Runs until told to stop, or until something fails for good. Closes everything.
    func run() -> Result<Void, TransportError> {
        defer { close() }
        let poller = shared.reactor.poller
        do throws(TransportError) {
            _ = try poller.add(port.orders.wakeDescriptor) { [unowned self] in hasOrders = true }
            try shared.reactor.watch()
            try acceptor.watch()
            try publisher.watch()
            while true {
                if hasOrders {
                    hasOrders = false
                    let orders = port.orders.take()
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

    /// What libzmq has is given a moment to go out; then every socket, the context and its threads are gone. For a loop
    /// that never ran; one that runs closes itself.
    func close() {
        acceptor.close()
        dialler.close()
        subscriber.close()
        publisher.close()
        shared.reactor.close()
    }

    // MARK: What others want

    private func apply(_ orders: ZMQOrders.Batch) {
        if let list = orders.peers { setPeers(list) }
        for channel in Channel.allCases {
            let batch = orders.commands[channel]
            shared.events.dropped(.sendQueueFull, count: batch.lost)
            if !batch.commands.isEmpty { carryOut(batch.commands, on: channel) }
        }
        for opening in orders.openings {
            dialler.open(ExchangeStream(opening.pipe, on: opening.channel), with: opening.peer)
        }
        for pipe in orders.changed where !acceptor.noteChange(of: pipe) { dialler.noteChange(of: pipe) }
        for pipe in orders.dropped { acceptor.noteDropped(pipe) }
    }

    /// Links and subscriptions follow the list: newcomers are dialled, those who are gone are disconnected.
    private func setPeers(_ list: [Peer]) {
        let (gone, newcomers) = shared.peers.replace(with: list)
        for address in gone {
            subscriber.leave(address)
            dialler.release(address)
        }
        for address in newcomers {
            if let hello = dialler.hello(of: address) {
                note(hello, of: address)
            } else {
                dialler.dial(address)
            }
        }
        dialler.notePeersChanged()
        acceptor.reportConnected(newcomers)
    }

    /// What tasks want sent on one channel, in order.
    private func carryOut(_ commands: CommandQueue.Commands, on channel: Channel) {
        var broadcasts = publisher.begin(on: channel)
        var used: [Dial] = []
        var lost: [DropCause: Int] = [:]
        // Many in a row are for the same address.
        var last: (address: PeerAddress, way: Dialler.Way)?
        for case let command? in commands {
            switch command {
            case .send(let message, let address):
                let way: Dialler.Way
                if let last, last.address == address {
                    way = last.way
                } else {
                    way = dialler.way(to: address, on: channel)
                    last = (address, way)
                    if case .link(let dial) = way, !used.contains(where: { $0 === dial }) { used.append(dial) }
                }
                switch way {
                case .link(let dial):
                    let count = dial.link.enqueue(unicast: message, on: channel)
                    if count > 0 { lost[.sendQueueFull, default: 0] += count }
                case .nowhere(let cause): lost[cause, default: 0] += 1
                }
            case .broadcast(let message, let options): publisher.add(message, options, to: &broadcasts)
            }
        }
        publisher.finish(&broadcasts)
        for (cause, count) in lost { shared.events.dropped(cause, count: count) }
        for dial in used { dialler.pump(dial) }
    }

    // MARK: What parts tell each other

    private func noteWelcome(_ hello: Hello, of address: PeerAddress) {
        note(hello, of: address)
        // The link that was to say so may have been lost before it could.
        if subscriber.isHeard(address) { dialler.tellSubscribed(address) }
    }

    /// A peer has said of itself where it broadcasts.
    private func note(_ hello: Hello, of address: PeerAddress) {
        if shared.peers.note(hello, of: address) { subscriber.subscribe(to: address, hello) }
    }

    // MARK: Time

    /// What is due, and what the sources of this turn have gathered.
    private func finishTurn() {
        shared.traffic.handOverArrivals(to: port)
        let now = ContinuousClock.now
        dialler.advance(to: now)
        subscriber.advance(to: now)
        acceptor.advance(to: now)
        publisher.advance(to: now)
        sweep(at: now)
        shared.events.report()
        shared.traffic.publishStats(to: port)
    }

    /// Ends exchanges on which nothing moves.
    private func sweep(at now: ContinuousClock.Instant) {
        if let due = nextSweep, due <= now {
            nextSweep = nil
            let configuration = shared.configuration
            let limits = ExchangeStream.Limits(
                answer: configuration.answerTimeout, idle: configuration.idleTimeout,
                linger: configuration.lingerTimeout)
            acceptor.endStuckExchanges(at: now, limits)
            dialler.endStuckExchanges(at: now, limits)
        }
        let hasExchanges = acceptor.hasExchanges || dialler.hasExchanges
        nextSweep = hasExchanges ? nextSweep ?? now + Self.sweepInterval : nil
    }

    /// Time until the next deadline; `nil` when there is none, so that an idle node does not wake up.
    private var timeout: Duration? {
        let deadlines = [
            dialler.nextDeadline, subscriber.nextDeadline, acceptor.nextDeadline, publisher.nextDeadline, nextSweep,
            shared.events.reportDue,
        ]
        return deadlines.reduce(nil, earlier).map { max(.zero, $0 - .now) }
    }
}
