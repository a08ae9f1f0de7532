internal import Cluster
internal import Transport

/// One exchange between two processes: a stream of messages each way that is in order and whole until it breaks.
///
/// What its messages are is the cores' business.
struct SimulatedExchange {
    /// One end.
    struct Side {
        let node: Int
        let epoch: Int
        /// What the core of this side calls it; `nil` before the acceptor has it.
        var id: ExchangeID?
        /// What has arrived and was not received yet.
        var inbox: [[UInt8]] = []
        /// The other side has closed, and its last message is in `inbox` or was received.
        var isAtEnd = false
        /// The core waits for a message.
        var isReceiving = false
        var lastArrival = EngineInstant.zero
        /// This side has closed.
        var isClosed = false
    }

    /// The dialler, then the acceptor.
    var sides: [Side]
    var isOpen = false
    /// The other side is not asked: what the dialler sends goes nowhere.
    var isCut = false
}

/// What happens to an exchange.
enum ExchangeEvent: Sendable {
    /// The dialler's attempt has come to something.
    case dialled(Int)
    /// A host that says nothing was dialled for long enough.
    case unanswered(Int)
    case message(Int, side: Int, [UInt8])
    /// The end of the stream has come to this side.
    case end(Int, side: Int)
}
