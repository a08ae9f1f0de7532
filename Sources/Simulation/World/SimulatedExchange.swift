internal import Membership
internal import Replication
internal import Transport

/// One exchange between two processes: a stream of messages each way that is in order and whole until it breaks.
struct SimulatedExchange {
    enum Purpose {
        case pushPull(isJoin: Bool)
        case streamPing(PingBody)
        case push([UInt8])
        /// With the node of this id.
        case walk(NodeID)
    }

    /// One side of it, and what it does next.
    struct Side {
        let node: Int
        let epoch: Int
        var walk: (any Walk)?
        var inbox: [[UInt8]] = []
        /// Waits for a message.
        var isReceiving = false
        /// Counts steps, so that a deadline knows whether it is still meant.
        var step = 0
        var lastArrival = EngineInstant.zero
        var countsAsServed = false
    }

    let purpose: Purpose
    let address: PeerAddress
    /// The dialler, then the acceptor.
    var sides: [Side]
    var isOpen = false
}

/// What happens to an exchange.
enum ExchangeEvent: Sendable {
    /// The dialler's attempt has come to something.
    case dialled(Int)
    case message(Int, side: Int, [UInt8])
    /// A side has waited long enough for its next message.
    case timeout(Int, side: Int, step: Int)
}
