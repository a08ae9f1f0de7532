/// One reliable, ordered, two-way stream of messages with a peer.
///
/// One task may send while another receives; two must not do the same thing at once. Dropping the last reference
/// closes the exchange.
public protocol Exchange: AnyObject, Sendable {
    /// The other side. On an exchange that the peer opened it is the address the connection came from, which need not
    /// be the one the peer is bound to.
    var peer: PeerAddress { get }

    /// Waits while the other side does not read: memory on both sides stays bounded.
    func send(_ message: [UInt8]) async throws(ExchangeError)

    /// The next message, or `nil` when the other side has closed after its last one.
    func receive() async throws(ExchangeError) -> [UInt8]?

    /// Lets what was sent go out, then ends both directions. May be called more than once; never waits.
    func close()
}

/// Why an exchange was not opened, or ended before its time.
public enum ExchangeError: Error, Hashable, Sendable {
    /// Nothing listens there. Trying again soon can help: the peer may be starting.
    case refused
    /// The peer did not answer within the plugin's deadline.
    case noAnswer
    /// The peer holds another cluster key, or one side has none.
    case otherKey
    /// What listens there speaks another protocol, such as another plugin of this one.
    case otherTransport
    /// The peer speaks no version that this one does.
    case otherVersion
    /// The connection broke, or the plugin is shutting down. What was sent may or may not have arrived.
    case closed
    /// The message is larger than the limit: ours, or the peer's announcement.
    case tooLarge
    /// The bound on exchanges at once is reached here.
    case busy
}

extension ExchangeError: CustomStringConvertible {
    /// A few words for logs.
    public var description: String {
        switch self {
        case .refused: "nobody listens there"
        case .noAnswer: "no answer"
        case .otherKey: "another cluster key"
        case .otherTransport: "another transport"
        case .otherVersion: "another version"
        case .closed: "the connection ended"
        case .tooLarge: "a message was too large"
        case .busy: "too many exchanges at once"
        }
    }
}

/// Why a plugin could not start or had to stop.
public enum TransportError: Error, Hashable, Sendable {
    /// `address` is in use by another process.
    case addressInUse(PeerAddress)
    /// `address` cannot be bound: it is not of this machine, or the port needs rights.
    case cannotBind(PeerAddress, reason: String)
    /// A socket failed for good while running.
    case failed(reason: String)
    /// A setting is not usable, such as a key of the wrong length.
    case invalidConfiguration(reason: String)
}

/// Something a plugin noticed. Plugins report, drivers log.
public enum TransportEvent: Hashable, Sendable {
    case connected(PeerAddress)
    case disconnected(PeerAddress)
    /// Something from `address` was turned away. Reported once per address and reason in a while, then counted in
    /// `dropped`.
    case refused(Refusal, PeerAddress)
    /// `count` more messages were dropped for this cause since the last report.
    case dropped(DropCause, count: Int)
}

/// Why a peer was turned away.
public enum Refusal: String, Hashable, Sendable, CaseIterable {
    /// It holds another cluster key.
    case otherKey
    /// It speaks in clear while this side has a key.
    case clearText
    /// It seals while this side has no key.
    case sealed
    case otherTransport
    case otherVersion
    /// It opened more exchanges than one address may have.
    case tooManyExchanges
}

/// Why a message went nowhere.
public enum DropCause: String, Hashable, Sendable, CaseIterable {
    /// It could not be parsed.
    case malformed
    /// It could not be opened with our key.
    case otherKey
    /// It came in clear while a key is set.
    case clearText
    /// A kind or layer that this version does not speak.
    case unsupported
    /// The queue towards the network was full.
    case sendQueueFull
    /// The queue towards the consumer was full.
    case receiveQueueFull
    /// Larger than the transport takes.
    case tooLarge
    /// The system refused to send it.
    case sendFailed
    /// There is no connection to the peer.
    case unreachable
    /// A peer broadcast it and it never arrived, as the numbers of what did arrive tell.
    case lost
}
