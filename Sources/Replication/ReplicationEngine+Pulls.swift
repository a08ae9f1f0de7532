internal import Transport

/// Gap pull: a receiver that misses a few numbers of a stream asks the origin for just those, which it keeps for a while.
///
/// It costs one round trip and the bytes that were lost, where a walk costs three and the sums on the way down; what a pull
/// does not bring, a walk does.
extension ReplicationEngine {
    /// Asks for what is missing of a stream, if so little is missing that a pull is worth it, and no more than a few
    /// times; `nil` when it is a walk's turn.
    mutating func pull(from node: NodeID, at now: EngineInstant) -> PullStep? {
        guard let followed = windows[node], let peer = peer(node), walking[node] == nil,
            let missing = followed.window.missing(
                limit: ReplicationMessage.Pull.maxNumbers, heardEnd: followed.heardEnd),
            !missing.isEmpty
        else { return nil }
        guard now >= followed.nextPull else { return .wait(until: followed.nextPull) }
        guard followed.pulls < configuration.maxPulls else { return nil }
        windows[node]?.pulls += 1
        windows[node]?.hasPulled = true
        windows[node]?.nextPull = now + configuration.pullTimeout
        stats.sentPulls += 1
        let pull = ReplicationMessage.Pull(stream: StreamID(origin: node, start: followed.start), ranges: missing)
        return .ask(.send(ReplicationMessage.encode(pull), to: peer.address), again: now + configuration.pullTimeout)
    }

    enum PullStep {
        case wait(until: EngineInstant)
        case ask(Effect, again: EngineInstant)
    }

    /// A peer lacks something that we broadcast. Only peers are answered, and no more than `maxPullBytesPerSecond`.
    mutating func receive(_ pull: ReplicationMessage.Pull, from sender: PeerAddress, at now: EngineInstant) -> [Effect]
    {
        guard pull.stream == stream, peers.contains(where: { $0.address == sender }) else { return [] }
        stats.receivedPulls += 1
        if now >= pullWindowEnd {
            pullWindowEnd = now + .seconds(1)
            pullBytesLeft = configuration.maxPullBytesPerSecond
        }
        var effects: [Effect] = []
        for sequence in pull.ranges.joined() {
            guard let message = recent[sequence] else { continue }
            guard pullBytesLeft >= message.count else { break }
            pullBytesLeft -= message.count
            stats.answeredPulls += 1
            if message.count <= configuration.maxMessageBytes {
                effects.append(.send(message, to: sender))
            } else {
                let push = WalkMessage.Push(reachedEveryone: true, sender: stream.origin, changes: message)
                effects.append(.push(WalkMessage.push(push).encoded(), to: [sender]))
            }
        }
        return effects
    }
}
