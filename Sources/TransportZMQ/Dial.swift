import Transport

/// One link that this node makes to a peer: one DEALER with one connection, from the attempt to its end. Confined to the
/// owner thread.
final class Dial {
    enum State {
        /// Until the welcome.
        case connecting(until: ContinuousClock.Instant)
        /// It failed; a plain connection looks why.
        case probing(StrangerProbe, until: ContinuousClock.Instant)
        case up(Hello)
        case over
    }

    let address: PeerAddress
    let link: Link
    let socket: Socket
    let startedAt = ContinuousClock.now
    var monitor: Monitor?
    var source: Poller.Source?
    var state: State
    /// Exchanges that wait for the welcome.
    var waiting: [ExchangeStream] = []
    var lastUsed = ContinuousClock.now

    init(address: PeerAddress, socket: Socket, tally: UnicastTally, until deadline: ContinuousClock.Instant) {
        self.address = address
        self.socket = socket
        link = Link(address: address, socket: socket, tally: tally)
        state = .connecting(until: deadline)
    }

    var isUp: Bool { hello != nil }

    /// What the peer has said of itself.
    var hello: Hello? {
        if case .up(let hello) = state { hello } else { nil }
    }

    var isOver: Bool {
        if case .over = state { true } else { false }
    }

    /// By when something must have happened.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .connecting(let deadline), .probing(_, let deadline): deadline
        case .up, .over: nil
        }
    }
}

/// One subscription of this node to the XPUB of a peer: one SUB with one connection, from the attempt to its end. Confined
/// to the owner thread.
final class Subscription {
    let peer: PeerAddress
    let publisher: PeerAddress
    /// The start of the peer that it is to hear.
    let stream: UInt64
    let socket: Socket
    var monitor: Monitor?
    var source: Poller.Source?
    /// Until when a beat must have come; `nil` once it has.
    var beatDeadline: ContinuousClock.Instant?

    init(
        to publisher: PeerAddress, of peer: PeerAddress, stream: UInt64, socket: Socket,
        until deadline: ContinuousClock.Instant
    ) {
        self.publisher = publisher
        self.peer = peer
        self.stream = stream
        self.socket = socket
        beatDeadline = deadline
    }

    /// The peer's broadcasts come in.
    var isHeard: Bool { beatDeadline == nil }
}

/// A wait before the next attempt, longer after each failure.
struct BackOff {
    /// The first wait, doubled up to the last.
    static let range: ClosedRange<Duration> = .milliseconds(100)...(.seconds(1))

    private(set) var wait: Duration
    private(set) var until: ContinuousClock.Instant

    /// After a first failure, or after one more.
    init(after last: BackOff?) {
        wait = min(last.map { $0.wait * 2 } ?? Self.range.lowerBound, Self.range.upperBound)
        until = .now + wait * Double.random(in: 0.75...1.25)
    }
}

/// A peer of `setPeers`, and how far it is reached.
struct PeerState {
    var channels: Channels
    /// What its last welcome said.
    var hello: Hello?
    var subscription: Subscription?
    /// When to subscribe again after a failure.
    var subscribing: BackOff?
    var follower = StreamFollower()
    /// When to dial again after a failure.
    var nextDial: ContinuousClock.Instant?
}
