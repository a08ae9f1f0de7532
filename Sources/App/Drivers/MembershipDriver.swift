internal import Logging
internal import Membership
internal import Replication
internal import Store
internal import Transport

/// Joins the membership engine to a transport, the name service and the database, and tells replication who is there.
///
/// Every engine call and the handing-off of its effects sit in one function that does not suspend. Dialling and name
/// look-ups run in tasks of their own; their outcomes come back as inputs.
actor MembershipDriver {
    /// What takes time: done in a task of its own.
    private enum Errand {
        case pushPull(PeerAddress, isJoin: Bool)
        case streamPing(PingBody, PeerAddress)
        case resolve(String)
    }

    /// Errands waiting to begin; how many are under way the engine bounds. The joiner tries again what is dropped.
    private static let maxErrands = 1_024
    /// How long a peer may take to answer on an exchange.
    private static let answerLimit: Duration = .seconds(5)
    private static let saveInterval: Duration = .seconds(1)
    /// How long the farewell has to spread before the transport stops.
    private static let farewell: Duration = .milliseconds(200)

    private var engine: MembershipEngine
    private let transport: any Transport
    private let replication: ReplicationDriver
    private let store: Store
    private let clock: EngineClock
    private let alarm: Alarm
    private var log: MembershipLog
    private let errands = BatchQueue<Errand>(maxCount: maxErrands)
    private let changes = BatchQueue<Void>(maxCount: 1)
    private let saves = BatchQueue<Void>(maxCount: 1)
    private var armedDeadline: EngineInstant?
    private var arePeersNew = true
    private var decision: StartDecision?
    private var malformedMessages = 0

    init(
        engine: MembershipEngine, transport: any Transport, replication: ReplicationDriver, store: Store,
        clock: EngineClock, logger: Logger
    ) {
        self.engine = engine
        self.transport = transport
        self.replication = replication
        self.store = store
        self.clock = clock
        alarm = Alarm(clock: clock)
        log = MembershipLog(logger: logger)
    }

    /// By name, this node among them.
    var members: [Member] { engine.members }

    /// What was counted since the start, and how things stand.
    func figures() -> MembershipFigures {
        let counts = MemberStatus.allCases.map { ($0, engine.confirmedCount(of: $0)) }
        return MembershipFigures(
            stats: engine.stats, malformedMessages: malformedMessages,
            members: Dictionary(uniqueKeysWithValues: counts), unconfirmedMembers: engine.unconfirmedCount,
            localHealth: engine.localHealth,
            names: Dictionary(engine.livingMembers.compactMap { member in member.nodeID.map { ($0, member.name) } }) {
                first, _ in first
            })
    }

    /// The time since `instant` of the engine's own clock.
    func age(of instant: EngineInstant) -> Duration { engine.ownTime(at: clock.now) - instant }

    /// Runs until cancelled: looks for `seeds` and for the members of an earlier run.
    func run(seeds: [String]) async {
        let known = await knownMembers()
        carryOut(engine.join(seeds: seeds, knownMembers: known, at: clock.now))
        await withDiscardingTaskGroup { group in
            group.addTask { await self.receiveArrivals() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.serveExchanges() }
            group.addTask { await self.runErrands() }
            group.addTask { await self.passChangesOn() }
            group.addTask { await self.keepMembers() }
            group.addTask { await self.reportEvents() }
        }
    }

    /// Says farewell and gives it time to spread.
    func leave() async {
        carryOut(engine.leave(at: clock.now))
        try? await Task.sleep(for: Self.farewell)
    }

    // MARK: - Inputs

    private func receiveArrivals() async {
        let arrivals = transport.arrivals(on: .membership)
        while let batch = await arrivals.next(limit: 256) { receive(batch) }
    }

    private func receive(_ batch: [Arrival]) {
        for arrival in batch {
            do throws(MembershipWireError) {
                let message = try MemberlistCodec.decode(arrival.message)
                carryOut(engine.receive(message, from: arrival.sender, at: clock.now))
            } catch { countMalformed(from: arrival.sender) }
        }
    }

    private func countMalformed(from peer: PeerAddress) {
        malformedMessages += 1
        log.countMalformed(from: peer)
    }

    private func keepTime() async {
        while !Task.isCancelled {
            armedDeadline = engine.nextDeadline
            await alarm.wait(until: armedDeadline)
            guard !Task.isCancelled else { return }
            // What came in while this process did not run is handled before timers that ran out meanwhile.
            receive(transport.arrivals(on: .membership).takeNow())
            carryOut(engine.advance(to: clock.now))
        }
    }

    private func reportEvents() async {
        while let events = await transport.events.next() {
            for event in events { log.note(event, at: clock.now) }
            // Whoever has just connected missed the last heartbeat.
            if events.contains(where: { if case .connected = $0 { true } else { false } }) {
                await replication.peerConnected()
            }
        }
    }

    // MARK: - Effects

    private func carryOut(_ effects: [MembershipEngine.Effect]) {
        // Newcomers first: what the same input has to tell is for them too.
        if effects.contains(where: { if case .emit(let event) = $0 { event.changesPeers } else { false } }) {
            transport.setPeers(engine.livingMembers.map { Peer(address: $0.address, channels: Self.channels(of: $0)) })
        }
        for effect in effects {
            switch effect {
            case .send(let message, let peer):
                transport.send(MemberlistCodec.encode(message), on: .membership, to: peer)
            case .broadcast(let message, let name):
                transport.broadcast(
                    MemberlistCodec.encode(message), on: .membership, options: BroadcastOptions(replacing: name))
            case .pushPull(let peer, let isJoin): errands.append([.pushPull(peer, isJoin: isJoin)])
            case .streamPing(let ping, let peer): errands.append([.streamPing(ping, peer)])
            case .resolveSeed(let seed): errands.append([.resolve(seed)])
            case .emit(let event): note(event)
            }
        }
        if let deadline = engine.nextDeadline, armedDeadline.map({ deadline < $0 }) ?? true { alarm.touch() }
    }

    private func note(_ event: MembershipEvent) {
        log.note(event, at: clock.now)
        if case .startDecided(let decision) = event {
            self.decision = decision
            changes.append([()])
        }
        // Until the node is open, replication also wants to know whether somebody else may be there.
        if event.changesPeers || (event.changesHearsay && !replication.readiness.isSet) {
            arePeersNew = true
            changes.append([()])
        }
    }

    // MARK: - Peers

    /// Tells replication who is there, once for all changes of a moment.
    private func passChangesOn() async {
        while await changes.next() != nil {
            if arePeersNew {
                arePeersNew = false
                await replication.setPeers(
                    engine.livingMembers.compactMap(Self.replicationPeer),
                    areComplete: engine.arePeersComplete)
                saves.append([()])
            }
            if let decision {
                self.decision = nil
                switch decision {
                case .first: await replication.open(isSynced: true)
                case .alone: await replication.open(isSynced: false)
                case .joined: await replication.beginFirstSync()
                }
            }
        }
    }

    static func channels(of member: Member) -> Channels {
        let tag = member.tags.values[MemberTags.Key.channels] ?? "m"
        return tag.utf8.contains(UInt8(ascii: "r")) ? .all : .membership
    }

    private static func replicationPeer(_ member: Member) -> ReplicationPeer? {
        guard let nodeID = member.nodeID, channels(of: member).has(.replication) else { return nil }
        return ReplicationPeer(nodeID: nodeID, address: member.address)
    }

    // MARK: - Known members

    private func knownMembers() async -> [Membership.KnownMember] {
        do {
            return try await store.keptMembers().map { Membership.KnownMember(name: $0.name, address: $0.address) }
        } catch {
            log.noteStoreFailure(error, at: clock.now)
            return []
        }
    }

    /// Writes changes to the database, at most once in a while: nobody waits for it.
    private func keepMembers() async {
        while await saves.next() != nil {
            await saveMembers()
            guard (try? await Task.sleep(for: Self.saveInterval)) != nil else { return }
        }
    }

    /// Those who are there and those who failed are tried at the next start; those who left are not.
    private func saveMembers() async {
        let known = engine.livingMembers + engine.failedMembers
        do {
            try await store.keep(known.map { ($0.name, $0.nodeID, $0.address) })
        } catch { log.noteStoreFailure(error, at: clock.now) }
    }
}

// Exchanges and name look-ups.
extension MembershipDriver {
    private func runErrands() async {
        await withDiscardingTaskGroup { group in
            while let batch = await errands.next() {
                for errand in batch { group.addTask { await self.run(errand) } }
            }
            group.cancelAll()
        }
    }

    private func run(_ errand: Errand) async {
        switch errand {
        case .resolve(let seed):
            let addresses = await Resolver.resolve(seed)
            if addresses.isEmpty { log.noteUnresolved(seed, at: clock.now) }
            carryOut(engine.seedResolved(seed, addresses: addresses, at: clock.now))
        case .pushPull(let peer, let isJoin):
            do throws(ExchangeError) {
                try await pushPull(with: peer, isJoin: isJoin)
            } catch {
                log.noteDialFailure(error, peer: peer, at: clock.now)
                carryOut(engine.pushPullFailed(with: peer, Self.outcome(error), at: clock.now))
            }
        case .streamPing(let ping, let peer):
            // No answer is an answer too; the engine does not wait for it.
            try? await streamPing(ping, to: peer)
        }
    }

    private func pushPull(with peer: PeerAddress, isJoin: Bool) async throws(ExchangeError) {
        let exchange = try await transport.exchange(on: .membership, with: peer)
        defer { exchange.close() }
        try await exchange.send(MemberlistCodec.encodeStream(.pushPull(engine.localState(isJoin: isJoin))))
        guard let answer = try await exchange.receive(within: Self.answerLimit) else { throw .closed }
        guard case .pushPull(let remote) = try? MemberlistCodec.decodeStream(answer) else { throw .otherTransport }
        let (effects, _) = engine.merge(remote, from: peer, weDialled: true, at: clock.now)
        log.noteDialled(peer)
        carryOut(effects)
    }

    private func streamPing(_ ping: PingBody, to peer: PeerAddress) async throws(ExchangeError) {
        let exchange = try await transport.exchange(on: .membership, with: peer)
        defer { exchange.close() }
        try await exchange.send(MemberlistCodec.encodeStream(.ping(ping)))
        guard let answer = try await exchange.receive(within: Self.answerLimit),
            case .ack(let ack) = try? MemberlistCodec.decodeStream(answer), ack.sequence == ping.sequence
        else { return }
        carryOut(engine.streamPingAnswered(sequence: ack.sequence, at: clock.now))
    }

    private func serveExchanges() async {
        let exchanges = transport.exchanges(on: .membership)
        await withDiscardingTaskGroup { group in
            while let batch = await exchanges.next() {
                for exchange in batch { group.addTask { await self.serve(exchange) } }
            }
            group.cancelAll()
        }
    }

    private func serve(_ exchange: any Exchange) async {
        defer { exchange.close() }
        do throws(ExchangeError) {
            guard let question = try await exchange.receive(within: Self.answerLimit) else { return }
            switch try? MemberlistCodec.decodeStream(question) {
            case .pushPull(let remote):
                // Our state goes out before theirs is merged, so that they see what we believed of them.
                try await exchange.send(
                    MemberlistCodec.encodeStream(.pushPull(engine.localState(isJoin: remote.isJoin))))
                carryOut(engine.merge(remote, from: exchange.peer, weDialled: false, at: clock.now).effects)
            case .ping(let ping):
                guard let ack = engine.answer(toStreamPing: ping) else { return }
                try await exchange.send(MemberlistCodec.encodeStream(.ack(ack)))
            case .user, .error, .ack, .nack, .indirectPing, .suspect, .alive, .dead, nil:
                countMalformed(from: exchange.peer)
            }
        } catch { log.noteServeFailure(error, peer: exchange.peer) }
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

/// What membership has to tell for metrics.
struct MembershipFigures: Sendable {
    var stats: MembershipStats
    /// Messages and questions on exchanges that could not be read.
    var malformedMessages: Int
    /// Confirmed members with each status, this node among them.
    var members: [MemberStatus: Int]
    /// Members heard of whom nobody here has reached yet.
    var unconfirmedMembers: Int
    /// Lifeguard's multiplier, 0 when healthy.
    var localHealth: Int
    /// Of living members whose node is known.
    var names: [NodeID: String]
}
