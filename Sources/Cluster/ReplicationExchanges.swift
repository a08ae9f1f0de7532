internal import Replication
internal import Transport

/// The exchanges of replication: walks led and served, and changes too large to broadcast, sent and taken.
///
/// Each is a small state machine. It feeds the engine, writes its own steps to `out`, and gives the engine's effects back.
struct ReplicationExchanges: Sendable {
    private enum Talk: Sendable {
        case leading(ReplicationPeer, Walking?)
        case pushing
        /// The first message of a peer is awaited.
        case serving
        case following(Walking, of: ServedWalk)
        /// Rows of a push are being merged.
        case merging(ReplicationEngine.MergeToken)
        /// The peer has its answer, and may push more.
        case served
    }

    /// A walk that a peer leads: whose it is, and when it began.
    private struct ServedWalk: Sendable {
        let node: NodeID
        let began: EngineInstant
    }

    /// How long a peer may take for its next message, or to take one of ours. A busy disk may need some; a node that
    /// stands still is left for another donor.
    private static let stepLimit: Duration = .seconds(10)

    private let node: NodeID
    private let maxServedWalks: Int
    private var talks = Conversations<Talk>(on: .replication)
    private var pushes = PushQueues()
    private var servedWalks: Set<ExchangeID> = []
    /// Exchanges that wait for a merge.
    private var merges: [ReplicationEngine.MergeToken: ExchangeID] = [:]
    /// When exchanges began whose first message is awaited: how long that may have waited.
    private var began: [ExchangeID: EngineInstant] = [:]
    private(set) var traffic = ExchangeTraffic()

    init(node: NodeID, maxServedWalks: Int) {
        self.node = node
        self.maxServedWalks = maxServedWalks
    }

    var nextDeadline: EngineInstant? { talks.nextDeadline }

    var occupancy: [Occupancy] {
        [
            Occupancy("exchanges of replication", talks.count, limit: Conversations<Talk>.limit),
            Occupancy("walks served", servedWalks.count, limit: maxServedWalks), pushes.occupancy,
        ]
    }

    // MARK: - Openings

    mutating func walk(
        with peer: ReplicationPeer, _ engine: inout ReplicationEngine, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        guard !talks.isFull else { return engine.walkFailed(with: peer.nodeID, .exchange(.busy), at: moment.time) }
        out.append(.dial(talks.dial(peer.address, .leading(peer, nil)), peer.address))
        return []
    }

    mutating func push(_ message: [UInt8], to peers: [PeerAddress], _ out: inout [NodeCore.Effect]) {
        for peer in peers where pushes.add(message, for: peer) {
            if talks.isFull {
                pushes.drop(peer)
            } else {
                out.append(.dial(talks.dial(peer, .pushing), peer))
            }
        }
    }

    mutating func accept(
        _ id: ExchangeID, from peer: PeerAddress, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        guard !talks.isFull else { return out.append(.abandon(id)) }
        talks.accept(id, from: peer, .serving, until: now + Self.stepLimit)
        began[id] = now
        out.append(.exchange(id, ExchangeStep(then: .receive)))
    }

    // MARK: - What happens to one

    /// `intake`: tells what a message that came now says of its sender's clock.
    mutating func take(
        _ input: ExchangeInput, of id: ExchangeID, _ engine: inout ReplicationEngine, _ intake: ChangeIntake,
        _ moment: Moment, _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        do throws(WalkError) {
            switch input {
            case .opened: return open(id, moment, &out)
            case .sent(let byteCount):
                traffic.sentBytes += byteCount
                talks.sent(id, until: moment.time + Self.stepLimit)
            case .received(let message):
                let isFresh = began.removeValue(forKey: id).map { intake.isFresh(since: $0, at: moment.time) } ?? false
                return try receive(message, id, &engine, isFresh: isFresh, moment, &out)
            case .answered(let answer): return try answered(answer, id, &engine, moment, &out)
            case .storeFailed: try storeFailed(id, &engine, at: moment.time, &out)
            case .ended(let error):
                defer { remove(id) }
                return end(id, .exchange(error ?? .closed), isProper: error == nil, &engine, moment, &out)
            }
            return []
        } catch {
            return abandon(id, error, &engine, moment, &out)
        }
    }

    private mutating func abandon(
        _ id: ExchangeID, _ error: WalkError, _ engine: inout ReplicationEngine, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        let effects = end(id, error, isProper: false, &engine, moment, &out)
        remove(id)
        out.append(.abandon(id))
        return effects
    }

    /// A merge of the engine is done. `false`: no exchange waited for it.
    mutating func merged(
        _ token: ReplicationEngine.MergeToken, isDone: Bool, isSynced: Bool, at now: EngineInstant,
        _ out: inout [NodeCore.Effect]
    ) -> Bool {
        guard let id = merges.removeValue(forKey: token) else { return false }
        guard case .merging? = talks.take(id) else { return true }
        if isDone {
            answerPush(id, isSynced: isSynced, at: now, &out)
        } else {
            if let peer = talks.peer(of: id) { out.append(.emit(.serveFailed(peer, .store))) }
            remove(id)
            out.append(.abandon(id))
        }
        return true
    }

    /// Ends the exchanges whose peers have stood still for too long.
    mutating func expire(
        _ engine: inout ReplicationEngine, _ moment: Moment, _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        var effects: [ReplicationEngine.Effect] = []
        for id in talks.takeDue(at: moment.time) {
            effects += abandon(id, .exchange(.noAnswer), &engine, moment, &out)
        }
        return effects
    }

    private mutating func open(
        _ id: ExchangeID, _ moment: Moment, _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        switch talks.take(id) {
        case .leading(let peer, nil):
            let (walking, turn) = Walking.initiator(
                node: node, wallMilliseconds: UInt64(clamping: moment.wallMilliseconds))
            guard case .step(let step) = turn else { return [] }
            began[id] = moment.time
            follow(step, id, .leading(peer, walking), at: moment.time, &out)
        case .pushing: sendNextPush(id, at: moment.time, &out)
        case .leading, .serving, .following, .merging, .served, nil: break
        }
        return []
    }

    private mutating func receive(
        _ bytes: [UInt8], _ id: ExchangeID, _ engine: inout ReplicationEngine, isFresh: Bool, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) throws(WalkError) -> [ReplicationEngine.Effect] {
        traffic.receivedBytes += bytes.count
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return [] }
        do throws(WalkError) {
            switch talk {
            case .leading(let donor, .some(var walking)):
                let message = try Self.decode(bytes)
                if case .accepted(let wallMilliseconds, let heads) = message {
                    if isFresh { engine.noteClock(of: donor.nodeID, wallMilliseconds, at: moment.time) }
                    engine.walkAccepted(by: donor.nodeID, heads, at: moment.time)
                }
                switch try walking.received(message) {
                case .step(let step): follow(step, id, .leading(donor, walking), at: moment.time, &out)
                case .finished(let messages, let outcome):
                    close(id, sending: messages, at: moment.time, &out)
                    return engine.walkFinished(
                        with: donor.nodeID, outcome, summary: moment.summary, at: moment.time)
                }
            case .pushing:
                // The answer says that the changes are stored there.
                talks.put(.pushing, id)
                sendNextPush(id, at: moment.time, &out)
            case .serving:
                let message = try Self.decode(bytes)
                switch message {
                case .push(let push): return take(push, talk, id, &engine, moment, &out)
                case .open, .foreignOpen:
                    if isFresh, case .open(let open) = message {
                        engine.noteClock(of: open.node, open.wallMilliseconds, at: moment.time)
                    }
                    try serve(message, id, from: peer, &engine, moment, &out)
                case .sums, .digests, .rows, .wants, .finish, .done, .refusal, .accepted: throw .malformed
                }
            case .served:
                guard case .push(let push) = try Self.decode(bytes) else { throw .malformed }
                return take(push, talk, id, &engine, moment, &out)
            case .following(var walking, let served):
                let turn = try walking.received(Self.decode(bytes))
                follow(turn, id, walking, served, &engine, from: peer, at: moment.time, &out)
            case .leading(_, nil), .merging: break
            }
            return []
        } catch {
            talks.put(talk, id)
            throw error
        }
    }

    private mutating func answered(
        _ answer: WalkAnswer, _ id: ExchangeID, _ engine: inout ReplicationEngine, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) throws(WalkError) -> [ReplicationEngine.Effect] {
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return [] }
        do throws(WalkError) {
            switch talk {
            case .leading(let donor, .some(var walking)):
                engine.walkProgressed(with: donor.nodeID, at: moment.time)
                switch try walking.answered(answer) {
                case .step(let step): follow(step, id, .leading(donor, walking), at: moment.time, &out)
                case .finished(let messages, let outcome):
                    close(id, sending: messages, at: moment.time, &out)
                    return engine.walkFinished(
                        with: donor.nodeID, outcome, summary: moment.summary, at: moment.time)
                }
            case .following(var walking, let served):
                let turn = try walking.answered(answer)
                follow(turn, id, walking, served, &engine, from: peer, at: moment.time, &out)
            case .leading(_, nil), .pushing, .serving, .merging, .served: break
            }
            return []
        } catch {
            talks.put(talk, id)
            throw error
        }
    }

    /// A walk that is served may go on without what could not be stored; all else ends.
    private mutating func storeFailed(
        _ id: ExchangeID, _ engine: inout ReplicationEngine, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) throws(WalkError) {
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return }
        if case .following(var walking, let served) = talk, let turn = walking.storeFailed() {
            return follow(turn, id, walking, served, &engine, from: peer, at: now, &out)
        }
        talks.put(talk, id)
        throw .store
    }

    // MARK: - Served

    private mutating func serve(
        _ open: WalkMessage, _ id: ExchangeID, from peer: PeerAddress, _ engine: inout ReplicationEngine,
        _ moment: Moment, _ out: inout [NodeCore.Effect]
    ) throws(WalkError) {
        // Who leaves is no proof that somebody has it.
        guard servedWalks.count < maxServedWalks, !engine.isLeaving else {
            return close(id, sending: [WalkMessage.refusal(.busy).encoded()], at: moment.time, &out)
        }
        let leader = if case .open(let open) = open { open.node } else { node }
        let (walking, turn) = try Walking.responder(
            node: node, isSynced: engine.isSynced, wallMilliseconds: UInt64(clamping: moment.wallMilliseconds),
            heads: engine.storedHeads(for: leader, at: moment.time), first: open)
        servedWalks.insert(id)
        let served = ServedWalk(node: leader, began: moment.time)
        follow(turn, id, walking, served, &engine, from: peer, at: moment.time, &out)
    }

    private mutating func follow(
        _ turn: Walking.Turn, _ id: ExchangeID, _ walking: Walking, _ served: ServedWalk,
        _ engine: inout ReplicationEngine,
        from peer: PeerAddress, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        switch turn {
        case .step(let step): follow(step, id, .following(walking, of: served), at: now, &out)
        case .finished(let messages, let outcome):
            close(id, sending: messages, at: now, &out)
            if let refusal = outcome.refusal { return out.append(.emit(.serveFailed(peer, .refused(refusal)))) }
            engine.walkServed(outcome, with: served.node, since: served.began, at: now)
            out.append(.emit(outcome.failedMergeCount > 0 ? .serveFailed(peer, .store) : .walkServed(peer, outcome)))
        }
    }

    private mutating func take(
        _ push: WalkMessage.Push, _ talk: Talk, _ id: ExchangeID, _ engine: inout ReplicationEngine, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        let (effects, error) = engine.receive(push, at: moment.time)
        if let error {
            talks.put(talk, id)
            return effects + abandon(id, error, &engine, moment, &out)
        }
        let token = effects.lazy.compactMap { effect -> ReplicationEngine.MergeToken? in
            if case .merge(let token, _) = effect { token } else { nil }
        }.first
        if let token {
            merges[token] = id
            talks.put(.merging(token), id)
        } else {
            answerPush(id, isSynced: engine.isSynced, at: moment.time, &out)
        }
        return effects
    }

    private mutating func answerPush(
        _ id: ExchangeID, isSynced: Bool, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        let answer = WalkMessage.done(isSynced: isSynced).encoded()
        follow(ExchangeStep(sending: [answer], then: .receive), id, .served, at: now, &out)
    }

    // MARK: - Steps and ends

    private mutating func sendNextPush(_ id: ExchangeID, at now: EngineInstant, _ out: inout [NodeCore.Effect]) {
        guard let peer = talks.peer(of: id) else { return }
        if let message = pushes.next(for: peer) {
            follow(ExchangeStep(sending: [message], then: .receive), id, .pushing, at: now, &out)
        } else {
            close(id, at: now, &out)
        }
    }

    private mutating func follow(
        _ step: ExchangeStep, _ id: ExchangeID, _ talk: Talk, at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        out.append(talks.follow(step, id, talk, until: now + Self.stepLimit))
    }

    private mutating func close(
        _ id: ExchangeID, sending messages: [[UInt8]] = [], at now: EngineInstant, _ out: inout [NodeCore.Effect]
    ) {
        servedWalks.remove(id)
        let step = ExchangeStep(sending: messages, then: .close)
        out.append(talks.follow(step, id, nil, until: now + Self.stepLimit))
    }

    /// What the end of an exchange means, once. `isProper`: the peer closed after its last message.
    private mutating func end(
        _ id: ExchangeID, _ error: WalkError, isProper: Bool, _ engine: inout ReplicationEngine, _ moment: Moment,
        _ out: inout [NodeCore.Effect]
    ) -> [ReplicationEngine.Effect] {
        servedWalks.remove(id)
        guard let peer = talks.peer(of: id), let talk = talks.take(id) else { return [] }
        switch talk {
        case .leading(let donor, _): return engine.walkFailed(with: donor.nodeID, error, at: moment.time)
        case .pushing:
            pushes.drop(peer)
            out.append(.emit(.pushFailed(peer, error)))
        case .serving, .served:
            if !isProper { out.append(.emit(.serveFailed(peer, error))) }
        case .following, .merging: out.append(.emit(.serveFailed(peer, error)))
        }
        return []
    }

    private mutating func remove(_ id: ExchangeID) {
        servedWalks.remove(id)
        began[id] = nil
        talks.remove(id)
    }

    private static func decode(_ bytes: [UInt8]) throws(WalkError) -> WalkMessage {
        do throws(WalkMessage.Failure) {
            return try WalkMessage.decode(bytes)
        } catch {
            throw WalkError(error)
        }
    }
}
