/// Something that changed in the view of the cluster, for logs, for the database and for the transport's peers.
package enum MembershipEvent: Hashable, Sendable {
    /// Somebody speaks of a member that nobody here has reached yet. Can come in floods of invented names; say little.
    case memberHeard(Member)
    /// A member is there: confirmed by its own answer, or back after it had failed or left.
    case memberJoined(Member)
    /// Its address or tags changed.
    case memberUpdated(Member)
    /// It does not answer. `by` is the accuser, perhaps this node.
    case memberSuspected(Member, by: String)
    /// A suspect showed that it lives.
    case memberRefuted(Member)
    /// It did not refute in time. `by` is who declared it, perhaps this node.
    case memberFailed(Member, by: String)
    /// It went with a word of farewell.
    case memberLeft(Member)
    /// It is not listed any more. When it was not confirmed, nobody here ever reached it.
    case memberForgotten(Member)
    /// Two nodes want one name. Reported once per claimant.
    case nameConflict(NameConflict)
    /// Others thought this node suspect, failed or gone, or hold an older description of it; it has contradicted.
    case selfRefuted(incarnation: UInt32)
    /// Lifeguard's multiplier, 0 when healthy.
    case localHealthChanged(Int)
    /// Datagrams to this member are lost, but a stream reaches it: a firewall or a network fault.
    case onlyStreamReached(Member)
    /// This process stood still for about this long. Its timers wait accordingly.
    case pauseNoticed(Duration)
    /// How this node begins. Once, after `MembershipEngine.join`.
    case startDecided(StartDecision)
    /// All others refuse, and this node, which has no data, waits for them.
    case startWaits
    /// All others have refused for as long as a start may last: nobody is known to have more than this node.
    case nobodyCame
    /// Each seed, and each member of an earlier run, has answered once or was given up once.
    case everyoneAsked
    /// This node has said farewell.
    case leftCluster

    /// Whether the list of peers that a transport should know may have changed.
    package var changesPeers: Bool {
        switch self {
        case .memberJoined, .memberUpdated, .memberFailed, .memberLeft, .memberForgotten: true
        case .memberHeard, .memberSuspected, .memberRefuted, .nameConflict, .selfRefuted, .localHealthChanged,
            .onlyStreamReached, .pauseNoticed, .startDecided, .startWaits,
            .nobodyCame, .everyoneAsked, .leftCluster:
            false
        }
    }

    /// Whether `MembershipEngine.arePeersComplete` may have changed, besides the list of peers.
    package var changesHearsay: Bool {
        switch self {
        case .memberHeard, .everyoneAsked: true
        default: false
        }
    }
}
