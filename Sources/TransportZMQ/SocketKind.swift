internal import CLibZMQ
import Transport

/// What a socket is for, and every option that is set on it, with the reason for its value.
///
/// What stands nowhere here keeps libzmq's default on purpose: XPUB_NODROP stays off, so that at the mark only the slow
/// subscriber loses (with it one slow subscriber stops all); IMMEDIATE stays off, so that the hello waits in the pipe of
/// a link that is being made; ROUTER_HANDOVER and ROUTING_ID are not used, since every connection is a link of its own
/// with an id that the ROUTER chooses. Keys, the domain of ZAP and subscriptions are set where they come from.
enum SocketKind {
    /// Bound: takes links of peers.
    case router
    /// One link to one peer.
    case dealer
    /// Bound: broadcasts.
    case publisher
    /// Connected to the publisher of one peer.
    case subscriber
    /// Answers libzmq's question whether a connection may be (ZAP, RFC 27).
    case authenticator
    /// Tells what becomes of a socket's connections.
    case monitor

    struct Option {
        var name: CInt
        var value: CInt
        /// libzmq takes this one as 64 bits.
        var isWide = false
    }

    /// Largest frame that is taken from the network; a connection that announces a larger one is closed.
    static let maxFrameBytes: CInt = 128 * 1024

    var type: CInt {
        switch self {
        case .router: ZMQ_ROUTER
        case .dealer: ZMQ_DEALER
        case .publisher: ZMQ_XPUB
        case .subscriber: ZMQ_SUB
        case .authenticator: ZMQ_REP
        case .monitor: ZMQ_PAIR
        }
    }

    var options: [Option] {
        switch self {
        case .router:
            Self.network + Self.listening + [
                // An unknown routing id is an error rather than a silence: it is how a lost link is noticed.
                Option(name: ZMQ_ROUTER_MANDATORY, value: 1),
                // Data frames of exchanges on their way are bounded by `LinkWindow.windowBytes`, each counting 1 KiB at
                // least: a peer that keeps to the protocol never reaches the mark, with room for what steers. One that
                // confirms without reading costs 64 MiB.
                Option(name: ZMQ_SNDHWM, value: 2_048),
                Option(name: ZMQ_RCVHWM, value: 256),
            ]
        case .dealer:
            Self.network + Self.connecting + [
                // A link is one connection: when it breaks, its exchanges are over and the next one begins with a hello.
                Option(name: ZMQ_RECONNECT_IVL, value: -1),
                // Beyond it frames wait in `Link`, where they are bounded by bytes and unicasts go first.
                Option(name: ZMQ_SNDHWM, value: 256),
                Option(name: ZMQ_RCVHWM, value: 256),
            ]
        case .publisher:
            Self.network + Self.listening + [
                // Messages of at most 64 KiB: at most 13 MB for one slow subscriber. Beyond it that one loses, and sees it.
                Option(name: ZMQ_SNDHWM, value: 200),
                // Every subscription is told, not only the first of its kind: each subscriber wants its beat.
                Option(name: ZMQ_XPUB_VERBOSE, value: 1),
            ]
        case .subscriber:
            Self.network + Self.connecting + [
                // The same 13 MB per publisher on this side.
                Option(name: ZMQ_RCVHWM, value: 200),
                // The node makes it again itself (`BackOff`: after 100 ms, at most 1 s): libzmq would give up for good
                // after a handshake that failed.
                Option(name: ZMQ_RECONNECT_IVL, value: -1),
            ]
        case .authenticator: [Option(name: ZMQ_LINGER, value: 0)]
        case .monitor:
            [
                Option(name: ZMQ_LINGER, value: 0),
                // No event may be lost: connections are counted by them. Each is some bytes.
                Option(name: ZMQ_RCVHWM, value: 0),
            ]
        }
    }

    /// On only for an IPv6 address: with it libzmq asks the system for an IPv6 socket also for an IPv4 address, which a
    /// machine without IPv6 refuses. Set before each bind and connect.
    static func family(of address: PeerAddress) -> Option { Option(name: ZMQ_IPV6, value: address.isV6 ? 1 : 0) }

    /// How long a connect may take: a SYN and its first repetition after 1 s, so that after a cut the next try begins
    /// soon.
    static let connectTimeoutMilliseconds: CInt = 1_500
    /// How long a stopping node gives its last messages to go out.
    static let farewellMilliseconds: CInt = 300

    private static let network = [
        // Closing drops what waits; only a stopping node lingers, see `farewellMilliseconds`.
        Option(name: ZMQ_LINGER, value: 0),
        // A connection whose other side is gone without a word, or stands still, is closed after 6 to 9 s: a ping
        // every 3 s, 6 s for something to come back. A pause of 3 s must not cost it. libzmq pings also where messages
        // pass; each ping costs some 200 bytes with its answer, of each of the two sides of a connection.
        Option(name: ZMQ_HEARTBEAT_IVL, value: 3_000),
        Option(name: ZMQ_HEARTBEAT_TIMEOUT, value: 6_000),
        Option(name: ZMQ_HEARTBEAT_TTL, value: 6_000),
        // Who connects and says nothing is closed.
        Option(name: ZMQ_HANDSHAKE_IVL, value: 5_000),
        // Twice the largest frame that this version sends.
        Option(name: ZMQ_MAXMSGSIZE, value: maxFrameBytes, isWide: true),
    ]

    private static let listening = [
        // Connections that the system holds until they are taken: a whole cluster may start at once.
        Option(name: ZMQ_BACKLOG, value: 256)
    ]

    private static let connecting = [
        Option(name: ZMQ_CONNECT_TIMEOUT, value: connectTimeoutMilliseconds)
    ]
}
