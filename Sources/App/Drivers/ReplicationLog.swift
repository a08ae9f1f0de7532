internal import Logging
internal import Replication
internal import Runtime
internal import Transport

/// What a user can follow of replication: the first sync, repairs, and what goes wrong.
struct ReplicationLog {
    private let logger: Logger
    private var repeated = RepeatedLog()
    private var isReady = false
    /// Peers of which the log says that something keeps this node from what they have.
    private var obstructed: Set<NodeID> = []

    init(logger: Logger) { self.logger = logger }

    mutating func note(_ event: ReplicationEvent, at now: EngineInstant) {
        switch event {
        case .syncStarted(let donor):
            if repeated.note("sync \(donor.nodeID)", at: now) != nil {
                logger.log(.info, "First sync started", [.peerAddress: donor.address, .peerID: donor.nodeID])
            }
        case .becameReady(let isSynced):
            isReady = true
            if isSynced {
                logger.info("Node is ready")
            } else {
                logger.warning("Node is ready, but not synced: no other member's data could be had in time")
            }
        case .becameSynced: logger.info("Node is synced")
        case .walkFinished(let peer, let outcome):
            // Small repairs are everyday under load: the first is told, then some minutes' silence.
            let isNews = !isReady || (outcome.isProductive && repeated.note("repair \(peer.nodeID)", at: now) != nil)
            logger.log(
                isNews ? .info : .debug, isReady ? "Repaired differences with a peer" : "First sync: data received",
                [
                    .peerAddress: peer.address, .merged: outcome.mergedCount, .received: outcome.receivedCount,
                    .sent: outcome.sentCount, .roundTrips: outcome.roundTrips,
                ])
            repeated.clear("walk \(peer.nodeID)")
        case .sameNode(let peer), .walkFailed(let peer, .refused(.sameNode)):
            guard repeated.note("same \(peer.nodeID)", at: now) != nil else { return }
            logger.log(
                .error,
                "Two nodes have the same id: a database was copied. They exchange nothing; give one of them a new file",
                [.peerAddress: peer.address, .peerID: peer.nodeID])
        case .walkFailed(let peer, let error):
            guard let repeats = repeated.note("walk \(peer.nodeID)", at: now) else { return }
            logger.log(
                .info, "Could not compare with a peer; trying again",
                [.peerAddress: peer.address, .reason: Self.describe(error), .repeats: repeats])
        case .obstructed(let peer, let obstacle):
            guard let repeats = repeated.note("obstacle \(peer.nodeID)", at: now) else { return }
            logger.log(
                .warning, "Something has kept this node for 10 s from what a peer has: it is not synced",
                [
                    .peerAddress: peer.address, .peerID: peer.nodeID, .reason: obstacle.description, .repeats: repeats,
                ])
            obstructed.insert(peer.nodeID)
        case .unobstructed(let peer):
            guard obstructed.remove(peer.nodeID) != nil else { return }
            logger.log(
                .info, "This node has what the peer has", [.peerAddress: peer.address, .peerID: peer.nodeID])
        case .clockAhead(let count, let furthest):
            guard let repeats = repeated.note("ahead \(furthest.origin)", at: now) else { return }
            logger.log(
                .warning, "Changes are stamped in the future: the clock of the node that made them was ahead",
                [
                    .nodeID: furthest.origin, .count: count,
                    .aheadMilliseconds: furthest.time.milliseconds - WallClock.milliseconds(),
                    .repeats: repeats,
                ])
        case .handedOver(.safe): logger.debug("Another node has everything that was acknowledged here")
        case .handedOver(.alone): break
        case .handedOver(.unsure):
            logger.warning(
                "Leaving, though no other node is known to have everything that was acknowledged here: keep the database"
            )
        case .unknownVersion(let version, let peer):
            logger.log(
                .warning, "Changes come in a version that this node does not know; a later program understands them",
                [.peerAddress: peer.map { "\($0)" } ?? "unknown", .reason: "version \(version)"])
        case .versionLeftOut(let peer):
            logger.log(
                .warning,
                "A peer does not speak the version that most of the others do: it gets no changes as they are made, only by its own comparisons",
                [.peerAddress: peer.address, .peerID: peer.nodeID, .reason: "versions \(peer.versions)"])
        }
    }

    /// A clock that is at the edge of what is allowed is told of now and then only.
    mutating func note(_ state: ClockState, at now: EngineInstant) {
        guard repeated.note("clock \(state.name)", at: now) != nil else { return }
        switch state {
        case .alone: break
        case .right: logger.info("The wall clock agrees with those of the other nodes")
        case .wrong(let difference):
            logger.log(
                .error,
                "This node's wall clock is wrong: most other nodes' clocks agree, and changes are stamped by theirs; set it right",
                [.aheadMilliseconds: difference])
        case .unknown(let difference):
            logger.log(
                .warning,
                "The wall clocks of this node and of others differ, and nobody can say which is right: set the wrong one right",
                [.aheadMilliseconds: 0 - difference])
        }
    }

    mutating func noteStoreFailure(_ error: any Error, at now: EngineInstant) {
        guard let repeats = repeated.note("store", at: now) else { return }
        logger.log(
            .error, "The database fails while replicating; trying again", [.reason: "\(error)", .repeats: repeats])
    }

    func noteServeFailure(_ error: WalkError, peer: PeerAddress) {
        logger.log(.debug, "A peer's exchange ended early", [.peerAddress: peer, .reason: Self.describe(error)])
    }

    func notePushFailure(_ error: WalkError, peer: PeerAddress) {
        logger.log(.debug, "Could not push changes", [.peerAddress: peer, .reason: Self.describe(error)])
    }

    func noteServed(_ outcome: WalkOutcome, peer: PeerAddress) {
        logger.log(
            .debug, "Served a peer's comparison",
            [.peerAddress: peer, .merged: outcome.mergedCount, .sent: outcome.sentCount])
    }

    private static func describe(_ error: WalkError) -> String {
        switch error {
        case .exchange(let error): return "\(error)"
        case .refused(let refusal): return "refused: \(refusal)"
        case .malformed: return "the peer broke the protocol"
        case .unknownRecord: return "the peer sent data of a kind that only later versions know"
        case .store: return "this node's store failed"
        }
    }
}
