package import Replication
package import Transport

/// What a driver reports of one exchange.
package enum ExchangeInput: Hashable, Sendable {
    /// The dial succeeded.
    case opened
    /// One message of the last step, of so many bytes, is handed over. The peer reads, so its deadline moves.
    case sent(byteCount: Int)
    case received([UInt8])
    case answered(WalkAnswer)
    case storeFailed
    /// Nothing follows. `nil`: the peer closed after its last message, or this node did.
    case ended(ExchangeError?)
}
