internal import Logging
internal import Membership
internal import Transport

/// What a user can follow of membership: who comes and goes, and what keeps others out.
struct MembershipLog {
    private let logger: Logger
    private var repeated = RepeatedLog()
    private var dropped: [DropCause: Int] = [:]
    /// A peer that does not fit was named when this node dialled it.
    private var isStrangerNamed = false
    /// Why tries to reach others have failed, by address or seed; told when the node goes on alone.
    private var failures: [String: String] = [:]
    /// Members that only streams reached, how often lately and when last.
    private var streamOnly: [String: (count: Int, at: EngineInstant)] = [:]

    private static let maxFailures = 32
    /// One probe or two without datagrams may be a member that stood still; more are the network.
    private static let streamOnlyLimit = 4

    init(logger: Logger) { self.logger = logger }

    mutating func note(_ event: MembershipEvent, at now: EngineInstant) {
        switch event {
        case .memberHeard(let member): log(.debug, "Member heard of", member)
        case .memberJoined(let member):
            repeated.clear("suspect \(member.name)")
            log(.info, "Member joined", member)
        case .memberUpdated(let member): log(.debug, "Member updated", member)
        case .memberSuspected(let member, let accuser):
            guard member.isConfirmed, repeated.note("suspect \(member.name)", at: now) != nil else {
                return log(.debug, "Member suspected", member)
            }
            logger.log(
                .info, "Member suspected: it does not answer",
                [.peerName: member.name, .peerAddress: member.address, .reason: "according to \(accuser)"])
        case .memberRefuted(let member):
            let isNews = member.isConfirmed && repeated.note("refuted \(member.name)", at: now) != nil
            log(isNews ? .info : .debug, "Member answers again", member)
        case .memberFailed(let member, _):
            repeated.clear("suspect \(member.name)")
            log(member.isConfirmed ? .warning : .debug, "Member failed", member)
        case .memberLeft(let member): log(member.isConfirmed ? .info : .debug, "Member left", member)
        case .memberForgotten(let member): log(.debug, "Member forgotten", member)
        case .everyoneAsked: logger.debug("Every seed and every member of the last run was asked")
        case .nameConflict(let conflict):
            if conflict.isOwnName { note(failureOf: conflict.name, "another node has this name") }
            logger.log(
                conflict.isOwnName ? .error : .warning,
                conflict.isOwnName
                    ? "Another node has this node's name, so that the two cannot be members of one cluster: rename one"
                    : "A node was kept out: its name is taken",
                [.peerName: conflict.name, .peerAddress: conflict.claimant.address])
        case .selfRefuted(let incarnation):
            logger.log(.debug, "Contradicted what was said of this node", [.incarnation: incarnation])
        case .localHealthChanged(let score):
            logger.log(.debug, "Local health changed", [.count: score])
        case .onlyStreamReached(let member):
            let last = streamOnly[member.name]
            let isRecent = last.map { now - $0.at < .seconds(30) } ?? false
            streamOnly[member.name] = (isRecent ? (last?.count ?? 0) + 1 : 1, now)
            guard streamOnly[member.name]?.count ?? 0 >= Self.streamOnlyLimit,
                repeated.note("stream \(member.name)", at: now) != nil
            else { return log(.debug, "Only TCP reached a member", member) }
            log(.warning, "Only TCP reaches a member: datagrams to it are lost", member)
        case .pauseNoticed(let pause):
            guard let repeats = repeated.note("pause", at: now) else { return }
            logger.log(
                .warning, "This process stood still",
                [.durationMilliseconds: pause.wholeNanoseconds / 1_000_000, .repeats: repeats])
        case .startWaits:
            logger.info(
                "This database is new, and no other node is there: waiting up to cluster.join_timeout before serving it; cluster.bootstrap: true starts at once"
            )
        case .nobodyCame: logger.info("No other member has come: this node is the cluster")
        case .startDecided(.refused):
            logger.warning("No other member is there: serving what is here, which may not be all")
        case .startDecided(.first): logger.info("No other member answers: this node is the first")
        case .startDecided(.joined): logger.info("Joined the cluster")
        case .startDecided(.alone):
            let reasons = failures.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            logger.log(
                .warning, "No seed could be joined in time: going on alone, and trying again for ever",
                [.reason: reasons.isEmpty ? "no answer from any" : reasons.joined(separator: ", ")])
        case .leftCluster: logger.info("Left the cluster")
        }
    }

    /// A dial did not lead to a merge.
    mutating func noteDialFailure(_ error: ExchangeError, peer: PeerAddress, at now: EngineInstant) {
        note(failureOf: "\(peer)", "\(error)")
        let text: Logger.Message
        switch error {
        case .otherKey: text = "A peer has another cluster.encrypt_key, or only one side has one: not joined"
        case .otherTransport: text = "What listens there is no node of this transport: check node.transport.kind"
        case .otherVersion: text = "A peer speaks no version that this node does: not joined"
        case .refused, .noAnswer, .closed, .tooLarge, .busy:
            return logger.log(.debug, "Could not reach a peer", [.peerAddress: peer, .reason: "\(error)"])
        }
        isStrangerNamed = true
        guard let repeats = repeated.note("dial \(peer)", at: now) else { return }
        logger.log(.warning, text, [.peerAddress: peer, .repeats: repeats])
    }

    mutating func noteDialled(_ peer: PeerAddress) {
        failures["\(peer)"] = nil
        repeated.clear("dial \(peer)")
    }

    /// The name service gave nothing.
    mutating func noteUnresolved(_ seed: String, at now: EngineInstant) {
        note(failureOf: seed, "unknown host")
        guard let repeats = repeated.note("resolve \(seed)", at: now) else { return }
        logger.log(.warning, "The host of a seed is unknown; trying again", [.seed: seed, .repeats: repeats])
    }

    private mutating func note(failureOf target: String, _ reason: String) {
        if failures[target] != nil || failures.count < Self.maxFailures { failures[target] = reason }
    }

    mutating func noteStoreFailure(_ error: any Error, at now: EngineInstant) {
        guard let repeats = repeated.note("store", at: now) else { return }
        logger.log(.error, "Could not read or keep the list of members", [.reason: "\(error)", .repeats: repeats])
    }

    func noteMalformed(from peer: PeerAddress) {
        logger.log(.debug, "Dropped a message that is none", [.peerAddress: peer])
    }

    /// A node that dials names the peer that does not fit, by the address of its configuration. A node that is only
    /// dialled says once that there is somebody.
    mutating func note(_ event: TransportEvent, at now: EngineInstant) {
        switch event {
        case .connected(let peer): logger.log(.debug, "Connected", [.peerAddress: peer])
        case .disconnected(let peer): logger.log(.debug, "Disconnected", [.peerAddress: peer])
        case .refused(let refusal, let peer):
            // One without an address says nothing that the side that dialled does not say better.
            guard !isStrangerNamed, !peer.isUnspecified,
                let repeats = repeated.note("refused \(peer.with(port: 0))", at: now)
            else { return logger.log(.debug, "Turned a peer away", [.peerAddress: peer, .reason: "\(refusal)"]) }
            logger.log(
                .warning, "Turned a peer away: check its cluster.encrypt_key and node.transport",
                [.peerAddress: peer, .reason: "\(refusal)", .repeats: repeats])
        case .dropped(let cause, let count):
            dropped[cause, default: 0] += count
            let isOurs = [.sendQueueFull, .receiveQueueFull, .sendFailed, .lost].contains(cause)
            guard isOurs, repeated.note("dropped \(cause)", at: now) != nil else {
                return logger.log(.debug, "Dropped messages", [.cause: cause.rawValue, .count: count])
            }
            logger.log(
                .warning, "Messages were dropped; what they said is repaired by comparing with peers",
                [.cause: cause.rawValue, .count: dropped[cause] ?? count])
        }
    }

    private func log(_ level: Logger.Level, _ text: Logger.Message, _ member: Member) {
        logger.log(level, text, [.peerName: member.name, .peerAddress: member.address])
    }
}
