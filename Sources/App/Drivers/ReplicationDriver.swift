internal import Logging
internal import Replication
internal import Store
internal import Transport

/// Joins the replication engine to a transport and a store.
///
/// Every engine call and the handing-off of its effects sit in one function that does not suspend. Merges are awaited by
/// whoever received the rows, so that a slow disk fills the transport's bounded queue and nothing else; walks and pushes
/// run beside, each in a task of its own.
actor ReplicationDriver {
    /// Messages taken from the transport into one merge, and so into one commit.
    private static let maxArrivalsPerMerge = 512
    /// How long a peer may take for its next message of a walk. A busy disk may need some; a node that stands still is
    /// left for another donor.
    private static let stepLimit: Duration = .seconds(10)

    private typealias Merge = (token: ReplicationEngine.MergeToken, rows: [EncodedRow])

    private var engine: ReplicationEngine
    private let configuration: ReplicationConfiguration
    private let transport: any Transport
    private let store: Store
    private let clock: EngineClock
    private let alarm: Alarm
    private var log: ReplicationLog
    private let walks = BatchQueue<ReplicationPeer>(maxCount: 64)
    private let pushes: PushSender
    private var servedWalks = 0
    /// Of messages on exchanges, in both directions, but for those of `pushes`.
    private var sentExchangeBytes = 0
    private var receivedExchangeBytes = 0
    /// What the timer sleeps for.
    private var armedDeadline = EngineInstant.zero
    /// Read by the REST layer at each request, hence outside of the actor.
    nonisolated let readiness = ReadinessFlag()

    init(
        configuration: ReplicationConfiguration, transport: any Transport, store: Store, clock: EngineClock,
        seed: UInt64, logger: Logger
    ) {
        var configuration = configuration
        configuration.maxMessageBytes = transport.maxMessageBytes
        self.configuration = configuration
        self.transport = transport
        self.store = store
        self.clock = clock
        alarm = Alarm(clock: clock)
        log = ReplicationLog(logger: logger)
        pushes = PushSender(transport: transport, logger: logger)
        engine = ReplicationEngine(
            configuration: configuration, nodeID: store.nodeID, start: store.streamStart, seed: seed)
    }

    /// The replicating members as membership knows them now.
    func setPeers(_ peers: [ReplicationPeer], areComplete: Bool) {
        _ = carryOut(engine.setPeers(peers, areComplete: areComplete, summary: store.summary, at: clock.now))
    }

    /// There is nobody to sync from; see `ReplicationEngine.open`.
    func open(isSynced: Bool) {
        _ = carryOut(engine.open(isSynced: isSynced, summary: store.summary, at: clock.now))
    }

    /// There are members to sync from.
    func beginFirstSync() { _ = carryOut(engine.beginFirstSync(summary: store.summary, at: clock.now)) }

    /// The transport says that a peer gets our broadcasts from now on.
    func peerConnected() {
        _ = carryOut(engine.peerConnected(at: clock.now))
    }

    var isSynced: Bool { engine.isSynced }

    func peerStatus() -> [PeerReplicationStatus] { engine.peerStatus(at: clock.now) }

    /// What was counted since the start, and how things stand.
    func figures() async -> ReplicationFigures {
        let pushed = await pushes.traffic
        return ReplicationFigures(
            stats: engine.stats, isReady: engine.isReady, isSynced: engine.isSynced, openGaps: engine.openGapCount,
            sentExchangeBytes: sentExchangeBytes + pushed.sent,
            receivedExchangeBytes: receivedExchangeBytes + pushed.received, peers: engine.peerStatus(at: clock.now))
    }

    /// Runs until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.receiveArrivals() }
            group.addTask { await self.announceCommits() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.serveExchanges() }
            group.addTask { await self.leadWalks() }
            group.addTask { await self.pushes.run() }
        }
    }

    private func receiveArrivals() async {
        let arrivals = transport.arrivals(on: .replication)
        while let batch = await arrivals.next(limit: Self.maxArrivalsPerMerge) {
            await perform(carryOut(engine.receive(batch, summary: store.summary, at: clock.now)))
        }
    }

    private func announceCommits() async {
        while let rows = await store.committed.next(limit: 4_096) {
            _ = carryOut(engine.committed(rows, at: clock.now))
        }
    }

    private func keepTime() async {
        while !Task.isCancelled {
            armedDeadline = engine.nextDeadline
            await alarm.wait(until: armedDeadline)
            guard !Task.isCancelled else { return }
            _ = carryOut(engine.advance(to: clock.now, summary: store.summary))
        }
    }

    /// Hands off all effects but merges, which it returns for the caller to await.
    private func carryOut(_ effects: [ReplicationEngine.Effect]) -> [Merge] {
        var merges: [Merge] = []
        for effect in effects {
            switch effect {
            case .broadcast(let message, let options):
                transport.broadcast(message, on: .replication, options: options)
            case .send(let message, let peer): transport.send(message, on: .replication, to: peer)
            case .push(let message, let peers): pushes.add(message, to: peers)
            case .merge(let token, let rows): merges.append((token, rows))
            case .walk(let peer): walks.append([peer])
            case .emit(let event): log.note(event, at: clock.now)
            }
        }
        if engine.isReady { readiness.set() }
        if engine.nextDeadline < armedDeadline { alarm.touch() }
        return merges
    }

    /// `false` when the store failed, so that something was not merged.
    @discardableResult
    private func perform(_ merges: [Merge]) async -> Bool {
        var isDone = true
        for merge in merges {
            do {
                let outcome = try await store.merge(merge.rows, latest: latestAccepted())
                _ = carryOut(engine.merged(merge.token, outcome, at: clock.now))
            } catch {
                isDone = false
                log.noteStoreFailure(error, at: clock.now)
                _ = carryOut(engine.mergeFailed(merge.token, at: clock.now))
            }
        }
        return isDone
    }

    /// Rows stamped later than this wait: their writer's clock is too far ahead.
    private func latestAccepted() -> HybridTime {
        let skew = configuration.maxClockSkew.wholeNanoseconds / 1_000_000
        return HybridTime(milliseconds: WallClock.milliseconds() + skew, counter: .max)
    }
}

// Walks and pushes.
extension ReplicationDriver {
    private func leadWalks() async {
        await withDiscardingTaskGroup { group in
            while let peers = await walks.next() {
                for peer in peers { group.addTask { await self.lead(peer) } }
            }
            group.cancelAll()
        }
    }

    private func lead(_ peer: ReplicationPeer) async {
        do throws(WalkError) {
            let exchange = try await open(with: peer.address)
            defer { exchange.close() }
            let outcome = try await follow(WalkInitiator(node: store.nodeID), over: exchange, of: peer.nodeID)
            _ = carryOut(
                engine.walkFinished(with: peer.nodeID, outcome, summary: store.summary, at: clock.now))
        } catch {
            _ = carryOut(engine.walkFailed(with: peer.nodeID, error, at: clock.now))
        }
    }

    private func open(with address: PeerAddress) async throws(WalkError) -> any Exchange {
        do {
            return try await transport.exchange(on: .replication, with: address)
        } catch {
            throw .exchange(error)
        }
    }

    private func serveExchanges() async {
        let exchanges = transport.exchanges(on: .replication)
        await withDiscardingTaskGroup { group in
            while let batch = await exchanges.next() {
                for exchange in batch { group.addTask { await self.serve(exchange) } }
            }
            group.cancelAll()
        }
    }

    /// What a peer opens an exchange for: a walk, or changes too large to broadcast.
    private func serve(_ exchange: any Exchange) async {
        defer { exchange.close() }
        do throws(WalkError) {
            guard let first = try await receive(from: exchange) else { return }
            switch first {
            case .push(let push): try await take(push, from: exchange)
            case .open: try await answer(first, over: exchange)
            case .sums, .digests, .rows, .wants, .finish, .done, .refusal: throw .malformed
            }
        } catch { log.noteServeFailure(error, peer: exchange.peer) }
    }

    private func answer(_ open: WalkMessage, over exchange: any Exchange) async throws(WalkError) {
        guard servedWalks < configuration.maxServedWalks else {
            try await send([WalkMessage.refusal(.busy).encoded()], over: exchange)
            return
        }
        servedWalks += 1
        defer { servedWalks -= 1 }
        let responder = WalkResponder(node: store.nodeID, isSynced: engine.isSynced)
        let outcome = try await follow(responder, over: exchange, first: open)
        engine.walkServed(outcome)
        log.noteServed(outcome, peer: exchange.peer)
    }

    private func take(_ first: WalkMessage.Push, from exchange: any Exchange) async throws(WalkError) {
        var next: WalkMessage? = .push(first)
        while let message = next {
            guard case .push(let push) = message else { throw .malformed }
            guard await perform(carryOut(engine.receive(push, at: clock.now))) else { throw .store }
            try await send([WalkMessage.done(isSynced: engine.isSynced).encoded()], over: exchange)
            next = try await receive(from: exchange)
        }
    }

    /// Carries out a walk's turns until it is over. `peer` is given on the leading side, whose progress counts.
    private func follow(
        _ initial: some Walk, over exchange: any Exchange, first: WalkMessage? = nil, of peer: NodeID? = nil
    ) async throws(WalkError) -> WalkOutcome {
        var walk = initial
        var pending = first
        var turn = walk.begin()
        var (roundTrips, hasSpoken) = (0, false)
        while true {
            try await send(turn.messages, over: exchange)
            if !turn.messages.isEmpty { hasSpoken = true }
            switch turn.next {
            case .finished(var outcome):
                outcome.roundTrips = roundTrips
                return outcome
            case .ask(let question):
                let answer: WalkAnswer
                do {
                    answer = try await store.answer(question)
                } catch {
                    log.noteStoreFailure(error, at: clock.now)
                    throw .store
                }
                if let peer { engine.walkProgressed(with: peer, at: clock.now) }
                turn = try proceed { () throws(WalkFailure) in try walk.answered(answer) }
            case .receive:
                if hasSpoken { (roundTrips, hasSpoken) = (roundTrips + 1, false) }
                let message: WalkMessage
                if let first = pending.take() {
                    message = first
                } else if let next = try await receive(from: exchange) {
                    message = next
                } else {
                    throw .exchange(.closed)
                }
                turn = try proceed { () throws(WalkFailure) in
                    try walk.received(message, latest: latestAccepted())
                }
            }
        }
    }

    private func proceed(_ step: () throws(WalkFailure) -> WalkTurn) throws(WalkError) -> WalkTurn {
        do {
            return try step()
        } catch {
            switch error {
            case .unexpectedMessage: throw .malformed
            case .refused(let refusal): throw .refused(refusal)
            }
        }
    }

    private func send(_ messages: [[UInt8]], over exchange: any Exchange) async throws(WalkError) {
        do {
            for message in messages {
                try await exchange.send(message)
                sentExchangeBytes += message.count
            }
        } catch {
            throw .exchange(error)
        }
    }

    private func receive(from exchange: any Exchange) async throws(WalkError) -> WalkMessage? {
        let bytes: [UInt8]?
        do {
            bytes = try await exchange.receive(within: Self.stepLimit)
        } catch {
            throw .exchange(error)
        }
        guard let bytes else { return nil }
        receivedExchangeBytes += bytes.count
        do {
            return try WalkMessage.decode(bytes)
        } catch {
            throw .malformed
        }
    }
}

/// What replication has to tell for metrics.
struct ReplicationFigures: Sendable {
    var stats: ReplicationStats
    var isReady: Bool
    var isSynced: Bool
    /// Holes in the streams of others.
    var openGaps: Int
    /// Of messages on the exchanges of replication.
    var sentExchangeBytes: Int
    var receivedExchangeBytes: Int
    /// How far each peer is from this node.
    var peers: [PeerReplicationStatus]
}
