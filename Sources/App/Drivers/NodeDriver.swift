internal import Cluster
internal import Logging
internal import Membership
internal import Replication
internal import Runtime
internal import Store
internal import Transport

/// Drives a node core: awaits an input, calls the core, and carries out what it says.
///
/// Each call and the handing-off of its effects sit in one function that does not suspend. What takes time (dialling, an
/// exchange, a look-up) runs in a task of its own and comes back as an input. Merges are awaited by the task that brought
/// the rows, so that a slow disk fills the transport's bounded queue and nothing else.
actor NodeDriver {
    typealias Merge = (token: ReplicationEngine.MergeToken, rows: [EncodedRow])

    private enum Job {
        case dial(ExchangeID, PeerAddress)
        case serve(ExchangeID, any Exchange)
        case resolve(String)
    }

    private var core: NodeCore
    private let transport: any Transport
    private let store: Store
    private let clock: EngineClock
    private let heldClock: HeldClock
    private let alarm: Alarm
    private let readiness: AtomicFlag
    private var log: NodeLog
    /// Bounded by the exchanges that the core has at once, and by the seeds.
    private let jobs = BatchQueue<Job>(maxCount: 8_192)
    private let saves = BatchQueue<[KnownMember]>(maxCount: 1)
    private let farewells = BatchQueue<Void>(maxCount: 1)
    private var links: [ExchangeID: ExchangeLink] = [:]
    private var acceptedCount: UInt64 = 0
    /// What the timer sleeps for.
    private var armedDeadline = EngineInstant.zero

    /// `readiness` is set when clients may be served.
    init(
        core: NodeCore, transport: any Transport, store: Store, clock: HeldClock, readiness: AtomicFlag,
        logger: Logger
    ) {
        self.core = core
        self.transport = transport
        self.store = store
        self.clock = clock.engine
        heldClock = clock
        self.readiness = readiness
        alarm = Alarm(clock: clock.engine)
        log = NodeLog(logger: logger)
    }

    /// Runs until cancelled: looks for `seeds` and for the members of an earlier run.
    func run(seeds: [String]) async {
        await feed(.begin(seeds: seeds, knownMembers: await knownMembers()))
        await withDiscardingTaskGroup { group in
            for channel in Channel.allCases {
                group.addTask { await self.receiveArrivals(on: channel) }
                group.addTask { await self.acceptExchanges(on: channel) }
            }
            group.addTask { await self.announceCommits() }
            group.addTask { await self.reportEvents() }
            group.addTask { await self.keepTime() }
            group.addTask { await self.keepMembers() }
            group.addTask { await self.runJobs() }
        }
    }

    /// Sees to it that others have what is here, says farewell and gives it time to spread. The core has a deadline for it.
    func leave() async {
        await feed(.leave)
        _ = await farewells.next()
        try? await Task.sleep(for: NodeCore.farewell)
    }

    /// What the core knows, as of now.
    func look<Answer: Sendable>(_ read: @Sendable (NodeCore, Moment) -> Answer) -> Answer { read(core, moment) }

    // MARK: - Inputs

    private var moment: Moment {
        Moment(time: clock.now, wallMilliseconds: WallClock.milliseconds(), summary: store.summary)
    }

    /// Hands one input to the core, and awaits the merges that it asks for.
    private func feed(_ input: NodeCore.Input) async {
        for merge in take(input) {
            do {
                let outcome = try await store.merge(merge.rows)
                await feed(.merged(merge.token, outcome))
            } catch {
                log.noteStoreFailure(error, at: clock.now)
                await feed(.mergeFailed(merge.token))
            }
        }
    }

    private func receiveArrivals(on channel: Channel) async {
        let arrivals = transport.arrivals(on: channel)
        // The merges of the last batch are over when `feed` returns, and so more is wanted.
        while let batch = await arrivals.next(limit: core.wantedArrivals(on: channel)) {
            await feed(.arrived(batch, on: channel))
        }
    }

    private func announceCommits() async {
        while let rows = await store.committed.next(limit: 4_096) { await feed(.committed(rows)) }
    }

    private func reportEvents() async {
        while let events = await transport.events.next() {
            for event in events { log.note(event, at: clock.now) }
            if events.contains(where: { if case .connected = $0 { true } else { false } }) { await feed(.connected) }
        }
    }

    private func keepTime() async {
        while !Task.isCancelled {
            armedDeadline = core.nextDeadline
            await alarm.wait(until: armedDeadline)
            guard !Task.isCancelled else { return }
            await takeWaiting()
            await feed(.tick)
        }
    }

    /// What came in while this process did not run is handled before timers that ran out meanwhile: what waits now, and in
    /// parts, so that other inputs have their turns.
    private func takeWaiting() async {
        let arrivals = transport.arrivals(on: .membership)
        var count = arrivals.waiting.count
        while count > 0, !Task.isCancelled {
            let batch = arrivals.takeNow(limit: min(count, core.wantedArrivals(on: .membership)))
            guard !batch.isEmpty else { return }
            await feed(.arrived(batch, on: .membership))
            count -= batch.count
            await Task.yield()
        }
    }

    // MARK: - Effects

    /// Calls the core and hands off all of its effects but merges, which it returns for the caller to await.
    private func take(_ input: NodeCore.Input) -> [Merge] {
        var merges: [Merge] = []
        for effect in core.handle(input, at: moment) {
            switch effect {
            case .send(let message, let channel, let peer): transport.send(message, on: channel, to: peer)
            case .broadcast(let message, let channel, let options):
                transport.broadcast(message, on: channel, options: options)
            case .setPeers(let peers): transport.setPeers(peers)
            case .dial(let id, let peer):
                links[id] = ExchangeLink()
                jobs.append([.dial(id, peer)])
            case .exchange(let id, let step): links[id]?.follow(step)
            case .abandon(let id): links[id]?.abandon()
            case .farewellSaid: farewells.append([()])
            case .holdClock(let hold): heldClock.set(hold)
            case .merge(let token, let rows): merges.append((token, rows))
            case .resolve(let seed): jobs.append([.resolve(seed)])
            case .saveMembers(let members): saves.append([members])
            case .openAPI: readiness.set()
            case .emit(let event): log.note(event, at: clock.now)
            }
        }
        if core.nextDeadline < armedDeadline { alarm.touch() }
        return merges
    }

    private func runJobs() async {
        await withDiscardingTaskGroup { group in
            while let batch = await jobs.next() {
                for job in batch { group.addTask { await self.run(job) } }
            }
            group.cancelAll()
        }
    }

    private func run(_ job: Job) async {
        switch job {
        case .resolve(let seed): await feed(.resolved(seed, await Resolver.resolve(seed)))
        case .serve(let id, let exchange): await converse(id, over: exchange)
        case .dial(let id, let peer):
            do throws(ExchangeError) {
                let exchange = try await transport.exchange(on: id.channel, with: peer)
                links[id]?.attach(exchange)
                await feed(.exchange(id, .opened))
                await converse(id, over: exchange)
            } catch {
                links[id] = nil
                await feed(.exchange(id, .ended(error)))
            }
        }
    }

    // MARK: - Exchanges

    private func acceptExchanges(on channel: Channel) async {
        while let batch = await transport.exchanges(on: channel).next() {
            for exchange in batch {
                acceptedCount += 1
                let id = ExchangeID.accepted(acceptedCount, on: channel)
                let link = ExchangeLink()
                link.attach(exchange)
                links[id] = link
                await feed(.accepted(id, from: exchange.peer))
                jobs.append([.serve(id, exchange)])
            }
        }
    }

    /// Does what the core says on one exchange, until the exchange is over.
    private func converse(_ id: ExchangeID, over exchange: any Exchange) async {
        var end: ExchangeError?
        if let link = links[id] {
            do throws(ExchangeError) {
                while let step = await link.nextStep() {
                    guard try await follow(step, id, over: exchange) else { break }
                }
            } catch { end = error }
        }
        exchange.close()
        links[id] = nil
        await feed(.exchange(id, .ended(end)))
    }

    /// `false` when the exchange is over.
    private func follow(
        _ step: ExchangeStep, _ id: ExchangeID, over exchange: any Exchange
    ) async throws(ExchangeError) -> Bool {
        for message in step.messages {
            try await exchange.send(message)
            await feed(.exchange(id, .sent(byteCount: message.count)))
        }
        switch step.next {
        case .close: return false
        case .receive:
            guard let message = try await exchange.receive() else { return false }
            await feed(.exchange(id, .received(message)))
        case .ask(let question):
            do {
                let answer = try await store.answer(question)
                await feed(.exchange(id, .answered(answer)))
            } catch {
                log.noteStoreFailure(error, at: clock.now)
                await feed(.exchange(id, .storeFailed))
            }
        }
        return true
    }

    // MARK: - Members of earlier runs

    private func knownMembers() async -> [KnownMember] {
        do {
            return try await store.knownMembers()
        } catch {
            log.noteMembersFailure(error, at: clock.now)
            return []
        }
    }

    /// Writes the members that the core wants kept. Nobody waits for it.
    private func keepMembers() async {
        while let members = await saves.next()?.last {
            do {
                try await store.saveKnownMembers(members)
            } catch { log.noteMembersFailure(error, at: clock.now) }
        }
    }
}
