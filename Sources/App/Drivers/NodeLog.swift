internal import Cluster
internal import Logging
internal import Replication
internal import Transport

/// What a user can follow of a node: members and replication, each in words of its own.
struct NodeLog {
    private var membership: MembershipLog
    private var replication: ReplicationLog

    init(logger: Logger) {
        membership = MembershipLog(logger: logger)
        replication = ReplicationLog(logger: logger)
    }

    mutating func note(_ event: NodeEvent, at now: EngineInstant) {
        switch event {
        case .membership(let event): membership.note(event, at: now)
        case .replication(let event): replication.note(event, at: now)
        case .clock(let state): replication.note(state, at: now)
        case .malformed(let peer): membership.noteMalformed(from: peer)
        case .dialled(let peer): membership.noteDialled(peer)
        case .dialFailed(let peer, let error): membership.noteDialFailure(error, peer: peer, at: now)
        case .unresolved(let seed): membership.noteUnresolved(seed, at: now)
        case .walkServed(let peer, let outcome): replication.noteServed(outcome, peer: peer)
        case .serveFailed(let peer, let error): replication.noteServeFailure(error, peer: peer)
        case .pushFailed(let peer, let error): replication.notePushFailure(error, peer: peer)
        }
    }

    mutating func note(_ event: TransportEvent, at now: EngineInstant) { membership.note(event, at: now) }

    mutating func noteStoreFailure(_ error: any Error, at now: EngineInstant) {
        replication.noteStoreFailure(error, at: now)
    }

    mutating func noteMembersFailure(_ error: any Error, at now: EngineInstant) {
        membership.noteStoreFailure(error, at: now)
    }
}
