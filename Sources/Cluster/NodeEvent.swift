package import Membership
package import Replication
package import Transport

/// Something that a core decided or noticed, for logs, figures and checkers.
package enum NodeEvent: Hashable, Sendable {
    case membership(MembershipEvent)
    case replication(ReplicationEvent)
    /// What is known of this node's wall clock has changed.
    case clock(ClockState)
    /// A message of membership made no sense.
    case malformed(from: PeerAddress)
    /// A push/pull with this peer succeeded.
    case dialled(PeerAddress)
    /// A push/pull with this peer did not come about.
    case dialFailed(PeerAddress, ExchangeError)
    /// The name service has no address for a seed.
    case unresolved(String)
    /// A peer has led a walk to its end.
    case walkServed(PeerAddress, WalkOutcome)
    /// An exchange that a peer opened ended early.
    case serveFailed(PeerAddress, WalkError)
    /// Changes that are too large to broadcast did not reach this peer. A walk brings them.
    case pushFailed(PeerAddress, WalkError)
}
