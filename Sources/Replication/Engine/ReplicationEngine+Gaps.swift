internal import Transport

/// Holes in the streams of others, and gap pull: a receiver that misses a few numbers asks the origin for just those, which
/// it keeps for a while.
///
/// A pull costs one round trip and the bytes that were lost, where a walk costs three and the sums on the way down; what a
/// pull does not bring, a walk does.
///
/// Where changes spread as an epidemic a heartbeat reaches only some peers: a node that the epidemic missed would wait for
/// one of the writer's own to see the hole. So heartbeats tell how far others have come too. That is hearsay: it leads to
/// pulls from the writer, and is forgotten when they bring nothing; who does not reach the writer walks with the teller
/// (`Hearsay`). Told is what arrived, not what was heard, so that an invented head goes no further than to whom it was sent.
extension ReplicationEngine {
    /// Starts or stops the time after which a hole in this origin's stream leads to a pull and then a walk.
    mutating func noteGap(_ origin: NodeID, at now: EngineInstant) {
        switch streams.update(origin, { $0.noteGap(at: now) }) ?? .none {
        case .none: break
        case .closed(let afterPull): if afterPull { stats.pulledGaps += 1 }
        case .opened:
            stats.gaps += 1
            let first = now + generator.duration(in: configuration.pullDelay)
            streams.update(origin) { $0.planPulls(from: first) }
            if !isArmed(origin) { table.setTimer(origin, at: first) }
        case .stays:
            // Armed again whenever nothing is under way: the time may have run out while no walk could begin.
            guard !isArmed(origin), let followed = streams[origin] else { return }
            table.setTimer(origin, at: max(followed.nextPull, now + configuration.gapGrace))
        }
    }

    private func isArmed(_ origin: NodeID) -> Bool { table.hasTimer(origin) || table.isWalking(origin) }

    /// A hole has been there for a while: it is time for a pull, or for a walk.
    mutating func advanceGap(_ node: NodeID, since: EngineInstant, at now: EngineInstant) -> Effect? {
        guard let peer = table[node] else { return nil }
        let step =
            table.isWalking(node)
            ? nil
            : streams.update(node) {
                $0.takePull(limit: configuration.maxPulls, timeout: configuration.pullTimeout, at: now)
            } ?? nil
        switch step {
        case .wait(let instant): table.setTimer(node, at: instant)
        case .ask(let ranges):
            table.setTimer(node, at: now + configuration.pullTimeout)
            return ask(peer, for: ranges)
        case nil:
            // Others tell of more, and the origin itself does not know of it.
            if streams.update(node, { $0.forgetHeard() }) == true {
                noteGap(node, at: now)
            } else if since + configuration.gapGrace <= now {
                wantWalk(with: node, notBefore: table.state(node).plan.notBeforeForHole, at: now)
            } else {
                table.setTimer(node, at: since + configuration.gapGrace)
            }
        }
        return nil
    }

    private mutating func ask(_ peer: ReplicationPeer, for ranges: [ClosedRange<UInt64>]) -> Effect? {
        guard let followed = streams[peer.nodeID] else { return nil }
        stats.sentPulls += 1
        let stream = StreamID(origin: peer.nodeID, start: followed.start)
        return .send(
            ReplicationMessage.encode(.init(stream: stream, ranges: ranges), version: table.versions.spoken),
            to: peer.address)
    }

    /// A peer lacks something that we broadcast. Only peers are answered, and no more than `maxPullBytesPerSecond`.
    mutating func receive(_ pull: ReplicationMessage.Pull, from sender: PeerAddress, at now: EngineInstant) -> [Effect]
    {
        guard pull.stream == own.id, peers.contains(where: { $0.address == sender }) else { return [] }
        stats.receivedPulls += 1
        let messages = own.messages(for: pull, at: now)
        stats.answeredPulls += messages.count
        return messages.map { message in
            message.count <= configuration.maxMessageBytes
                ? .send(message, to: sender) : push(message, reachesEveryone: true, to: [sender])
        }
    }

    /// A peer tells how far others have come. What is not followed yet its origin has to tell itself, and what lacks more
    /// than a pull may ask for shows by its own numbers.
    mutating func note(_ heads: [ReplicationMessage.StreamHead], at now: EngineInstant) {
        for told in heads.prefix(configuration.maxHeads) {
            let origin = told.stream.origin
            guard table.has(origin), streams[origin]?.start == told.stream.start,
                streams.update(origin, { $0.noteHeard(told.head) }) == true
            else { continue }
            noteGap(origin, at: now)
        }
    }
}
