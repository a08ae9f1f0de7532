internal import Membership
internal import Replication
internal import Transport

/// The exchanges of membership: push/pulls and pings over streams, led and served.
///
/// Each is a small state machine. It feeds the engine, writes its own steps to `out`, and gives the engine's effects back.
struct MembershipExchanges: Sendable {
    private enum Purpose: Sendable {
        case pushPull(isJoin: Bool)
        case streamPing(PingBody)
    }

    private enum Talk: Sendable {
        /// Led by this node. `isOpen`: the question is out.
        case leading(Purpose, isOpen: Bool)
        /// A peer's question is awaited.
        case serving
    }

    /// How long a peer may take for its question, its answer, or to take ours.
    private static let answerLimit: Duration = .seconds(5)

    private var talks = Conversations<Talk>(on: .membership)
    /// Questions that made no sense.
    private(set) var malformedCount = 0

    var nextDeadline: EngineInstant? { talks.nextDeadline }
    var occupancy: Occupancy { Occupancy("exchanges of membership", talks.count, limit: Conversations<Talk>.limit) }

    // MARK: - Openings

    mutating func pushPull(
        with peer: PeerAddress, isJoin: Bool, _ engine: inout MembershipEngine, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        guard !talks.isFull else { return fail(.busy, peer, &engine, at: now, &out) }
        out.append(.dial(talks.dial(peer, .leading(.pushPull(isJoin: isJoin), isOpen: false)), peer))
        return []
    }

    /// No answer is an answer too: the engine does not wait for it.
    mutating func streamPing(_ ping: PingBody, to peer: PeerAddress, _ out: inout [NodeCore.Effect]) {
        guard !talks.isFull else { return }
        out.append(.dial(talks.dial(peer, .leading(.streamPing(ping), isOpen: false)), peer))
    }

    mutating func accept(
        _ id: ExchangeID, from peer: PeerAddress, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        guard !talks.isFull else { return out.append(.abandon(id)) }
        talks.accept(id, from: peer, .serving, until: now + Self.answerLimit)
        out.append(.exchange(id, ExchangeStep(then: .receive)))
    }

    // MARK: - What happens to one

    mutating func take(
        _ input: ExchangeInput, of id: ExchangeID, _ engine: inout MembershipEngine, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        switch input {
        case .opened:
            guard case .leading(let purpose, isOpen: false)? = talks.take(id) else { return [] }
            let step = ExchangeStep(sending: [question(purpose, engine)], then: .receive)
            out.append(talks.follow(step, id, .leading(purpose, isOpen: true), until: now + Self.answerLimit))
            return []
        case .sent:
            talks.sent(id, until: now + Self.answerLimit)
            return []
        case .received(let message): return receive(message, id, &engine, at: now, &out)
        case .ended(let error):
            defer { talks.remove(id) }
            return end(id, error ?? .closed, &engine, at: now, &out)
        case .answered, .storeFailed: return []
        }
    }

    /// Ends the exchanges whose peers have stood still for too long.
    mutating func expire(
        _ engine: inout MembershipEngine, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        var effects: [MembershipEngine.Effect] = []
        for id in talks.takeDue(at: now) {
            out.append(.abandon(id))
            effects += end(id, .noAnswer, &engine, at: now, &out)
            talks.remove(id)
        }
        return effects
    }

    private func question(_ purpose: Purpose, _ engine: MembershipEngine) -> [UInt8] {
        switch purpose {
        case .pushPull(let isJoin): MemberlistCodec.encodeStream(.pushPull(engine.localState(isJoin: isJoin)))
        case .streamPing(let ping): MemberlistCodec.encodeStream(.ping(ping))
        }
    }

    private mutating func receive(
        _ message: [UInt8], _ id: ExchangeID, _ engine: inout MembershipEngine, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return [] }
        switch talk {
        case .leading(.pushPull, _):
            close(id, at: now, &out)
            guard case .pushPull(let remote)? = try? MemberlistCodec.decodeStream(message) else {
                return fail(.otherTransport, peer, &engine, at: now, &out)
            }
            out.append(.emit(.dialled(peer)))
            return engine.merge(remote, from: peer, weDialled: true, at: now)
        case .leading(.streamPing(let ping), _):
            close(id, at: now, &out)
            guard case .ack(let ack)? = try? MemberlistCodec.decodeStream(message), ack.sequence == ping.sequence
            else { return [] }
            return engine.streamPingAnswered(sequence: ack.sequence, at: now)
        case .serving: return serve(message, id, from: peer, &engine, at: now, &out)
        }
    }

    private mutating func serve(
        _ message: [UInt8], _ id: ExchangeID, from peer: PeerAddress, _ engine: inout MembershipEngine,
        at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        switch try? MemberlistCodec.decodeStream(message) {
        case .pushPull(let remote):
            // Our state goes out before theirs is merged, so that they see what we believed of them.
            let state = engine.localState(isJoin: remote.isJoin)
            close(id, sending: [MemberlistCodec.encodeStream(.pushPull(state))], at: now, &out)
            return engine.merge(remote, from: peer, weDialled: false, at: now)
        case .ping(let ping):
            close(
                id, sending: engine.answer(toStreamPing: ping).map { [MemberlistCodec.encodeStream(.ack($0))] } ?? [],
                at: now, &out)
        case .user, .error, .ack, .nack, .indirectPing, .suspect, .alive, .dead, nil:
            close(id, at: now, &out)
            malformedCount += 1
            out.append(.emit(.malformed(from: peer)))
        }
        return []
    }

    // MARK: - Ends

    private mutating func close(
        _ id: ExchangeID, sending messages: [[UInt8]] = [], at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        let step = ExchangeStep(sending: messages, then: .close)
        out.append(talks.follow(step, id, nil, until: now + Self.answerLimit))
    }

    private mutating func end(
        _ id: ExchangeID, _ error: ExchangeError, _ engine: inout MembershipEngine, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return [] }
        switch talk {
        case .leading(.pushPull, _): return fail(error, peer, &engine, at: now, &out)
        case .leading(.streamPing, _): return []
        case .serving:
            out.append(.emit(.serveFailed(peer, .exchange(error))))
            return []
        }
    }

    private func fail(
        _ error: ExchangeError, _ peer: PeerAddress, _ engine: inout MembershipEngine, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> [MembershipEngine.Effect] {
        out.append(.emit(.dialFailed(peer, error)))
        return engine.pushPullFailed(with: peer, Self.outcome(error), at: now)
    }

    private static func outcome(_ error: ExchangeError) -> SeedJoiner.Outcome {
        switch error {
        case .refused: .refused
        case .otherKey: .otherKey
        case .otherTransport: .otherTransport
        case .otherVersion: .otherVersion
        case .noAnswer, .closed, .tooLarge, .busy: .noAnswer
        }
    }
}
