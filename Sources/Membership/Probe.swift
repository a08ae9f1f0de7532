internal import Transport

/// One probe under way, known by the number of its ping.
struct Probe: Sendable {
    enum Stage: Sendable {
        /// An unconfirmed member was pinged; nobody else is asked.
        case confirming
        /// The member was pinged; its ack is awaited.
        case direct
        /// Helpers and the stream were asked; this many helpers owe us a nack.
        case indirect(missingNacks: Int, askedForNacks: Bool)
    }

    let target: String
    /// Where the ping went.
    let address: PeerAddress
    var stage: Stage
    /// When the probe has failed.
    let deadline: EngineInstant
}

/// An indirect ping that this node carries out for another, known by the number of its own ping.
struct Relay: Sendable {
    let asker: PeerAddress
    /// The asker's number.
    let sequence: UInt32
    let wantsNack: Bool
}
