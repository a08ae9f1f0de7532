import Transport

/// One subscription of this node to the XPUB of a peer: one SUB with one connection, from the attempt to its end. Confined
/// to the owner thread.
final class Subscription {
    let peer: PeerAddress
    let publisher: PeerAddress
    /// The start of the peer that it is to hear.
    let stream: UInt64
    let connection: ClientSocket
    /// Until when a beat must have come; `nil` once it has.
    private(set) var beatDeadline: ContinuousClock.Instant?

    init(
        to publisher: PeerAddress, of peer: PeerAddress, stream: UInt64, connection: ClientSocket,
        until deadline: ContinuousClock.Instant
    ) {
        self.publisher = publisher
        self.peer = peer
        self.stream = stream
        self.connection = connection
        beatDeadline = deadline
    }

    /// The peer's broadcasts come in.
    var isHeard: Bool { beatDeadline == nil }

    /// A beat or a message has come.
    func noteHeard() { beatDeadline = nil }
}
