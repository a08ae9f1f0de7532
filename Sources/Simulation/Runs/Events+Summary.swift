internal import Membership
internal import Replication

// Events in a few words, for those who watch a run.

extension MembershipEvent {
    var summary: String {
        switch self {
        case .memberHeard(let member): "heard of \(member.name)"
        case .memberJoined(let member): "\(member.name) joined"
        case .memberUpdated(let member): "\(member.name) updated"
        case .memberSuspected(let member, let accuser): "\(member.name) suspected by \(accuser)"
        case .memberRefuted(let member): "\(member.name) refuted, incarnation \(member.incarnation)"
        case .memberFailed(let member, let accuser): "\(member.name) failed, says \(accuser)"
        case .memberLeft(let member): "\(member.name) left"
        case .everyoneAsked: "everyone was asked"
        case .memberForgotten(let member): "\(member.name) forgotten"
        case .nameConflict(let conflict): "conflict over the name \(conflict.name)"
        case .selfRefuted(let incarnation): "refutes, incarnation \(incarnation)"
        case .localHealthChanged(let score): "local health \(score)"
        case .onlyStreamReached(let member): "only a stream reaches \(member.name)"
        case .pauseNoticed(let time): "noticed a pause of \(time)"
        case .startDecided(let decision): "start decided: \(decision)"
        case .startWaits: "waits for others, since it has no data"
        case .nobodyCame: "nobody has come"
        case .leftCluster: "left"
        }
    }
}

extension ReplicationEvent {
    var summary: String {
        switch self {
        case .syncStarted(let donor): "first sync with \(donor.nodeID)"
        case .becameReady(let isSynced): isSynced ? "open, synced" : "open, not synced"
        case .becameSynced: "synced"
        case .walkFinished(let peer, let outcome):
            "walk with \(peer.nodeID): \(outcome.mergedCount) merged, \(outcome.sentCount) sent, ahead \(outcome.aheadCount)"
        case .walkFailed(let peer, let error): "walk with \(peer.nodeID) failed: \(error)"
        case .obstructed(let peer, let obstacle): "kept from what \(peer.nodeID) has: \(obstacle.rawValue)"
        case .unobstructed(let peer): "has what \(peer.nodeID) has"
        case .clockAhead(let count, _): "\(count) rows are ahead of its clock"
        case .sameNode(let peer): "\(peer.address) has an id that is taken"
        case .handedOver(let end): "hand-over: \(end)"
        case .unknownVersion(let version, let peer): "version \(version) from \(peer.map { "\($0)" } ?? "somebody")"
        case .versionLeftOut(let peer): "\(peer.nodeID) does not speak the version that is spoken"
        }
    }
}
