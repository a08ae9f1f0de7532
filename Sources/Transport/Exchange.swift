/// One reliable, ordered, two-way stream of messages with a peer.
///
/// One task may send while another receives; two must not do the same thing at once. Dropping the last reference
/// closes the exchange.
public protocol Exchange: AnyObject, Sendable {
    /// The other side. On an exchange that the peer opened it is the address the connection came from, which need not
    /// be the one the peer is bound to.
    var peer: PeerAddress { get }

    /// Waits while the other side does not read: memory on both sides stays bounded.
    ///
    /// Throws `tooLarge`, before anything is sent, for a message above `Transport.maxExchangeMessageBytes`; the exchange lives
    /// on. Throws `closed` after `close`, and when the calling task is cancelled while it waits: the message was not sent then.
    func send(_ message: [UInt8]) async throws(ExchangeError)

    /// The next message, or `nil` when the other side has closed after its last one: nothing is missing then. A connection
    /// that breaks throws `closed` instead, after what had arrived.
    ///
    /// Waits until `deadline` at most; `nil` is no deadline. A message that is there is given, however late it is asked for.
    /// Else, past the deadline, the exchange is closed, as by `close`, and `noAnswer` is thrown: a process that stands still
    /// accepts connections and never speaks. Throws `closed` after the own `close`, and when the calling task is cancelled
    /// while it waits: the exchange lives on then, and no message is lost.
    func receive(until deadline: ContinuousClock.Instant?) async throws(ExchangeError) -> [UInt8]?

    /// Lets what was sent go out, then ends both directions. What has arrived and was not received is gone. May be called
    /// more than once; never waits.
    func close()
}

extension Exchange {
    /// The next message, however long it takes. See `receive(until:)`.
    public func receive() async throws(ExchangeError) -> [UInt8]? { try await receive(until: nil) }

    /// The next message, if it comes within `limit`. See `receive(until:)`.
    public func receive(within limit: Duration) async throws(ExchangeError) -> [UInt8]? {
        try await receive(until: .now + limit)
    }
}

/// Why an exchange was not opened, or ended before its time.
public enum ExchangeError: Error, Hashable, Sendable {
    /// Nothing listens there. Trying again soon can help: the peer may be starting.
    case refused
    /// The peer did not answer within the plugin's deadline, or cannot be reached at all; or a message did not come until
    /// the deadline of `receive`.
    case noAnswer
    /// The peer holds another cluster key, or one side has none.
    case otherKey
    /// What listens there speaks another protocol, such as another plugin of this one: its first bytes are none of this
    /// plugin's, or it ended the connection before any.
    case otherTransport
    /// The peer speaks no version that this one does.
    case otherVersion
    /// The connection broke, or the plugin is shutting down. What was sent may or may not have arrived.
    case closed
    /// The message is larger than the limit: ours, or the peer's announcement.
    case tooLarge
    /// The bound on exchanges at once that this side dials is reached.
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
