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
    /// The TCP connection came about.
    var hasConnected = false
    var lastUsed = ContinuousClock.now

    init(address: PeerAddress, socket: Socket, until deadline: ContinuousClock.Instant) {
        self.address = address
        self.socket = socket
        link = Link(address: address, socket: socket)
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

/// A peer of `setPeers`, and how far it is reached.
struct PeerState {
    var channels: Set<Channel>
    /// The start of the peer that its last welcome told of.
    var stream: UInt64?
    /// Its XPUB, to which this node's SUB is connected.
    var publisher: PeerAddress?
    /// Its broadcasts come in: a beat was seen since the SUB was last connected.
    var isHeard = false
    var follower = StreamFollower()
    /// When to dial again after a failure.
    var nextDial: ContinuousClock.Instant?
}
