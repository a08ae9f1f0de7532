internal import Cluster
internal import CoreMetrics
internal import Membership
internal import Replication
internal import Store
internal import Transport

/// Carries over what the parts of a node have counted, and how things stand, to metrics.
struct MetricsCarrier {
    private var store: StoreCarrier
    private var replication: ReplicationCarrier
    private var membership: MembershipCarrier
    private var transport: TransportCarrier
    private var system: SystemCarrier

    /// Makes every series whose labels are known. `transport`: its kind, `nil` for a node that stands alone.
    init(_ factory: any MetricsFactory, transport kind: String?) {
        let labels = [("version", BuildInfo.version), ("transport", kind ?? "none")]
        Meter(label: MetricName.build, dimensions: labels, factory: factory).set(1)
        store = StoreCarrier(factory)
        replication = ReplicationCarrier(factory)
        membership = MembershipCarrier(factory)
        transport = TransportCarrier(factory)
        system = SystemCarrier(factory)
    }

    /// Counters never fall, whatever comes.
    mutating func carry(_ figures: NodeFigures) {
        store.carry(figures.store, figures.system)
        replication.carry(figures.replication, isReady: figures.isReady, names: figures.membership?.names ?? [:])
        if let figures = figures.membership { membership.carry(figures) }
        if let stats = figures.transport { transport.carry(stats) }
        system.carry(figures.system)
    }
}

/// What the store tells.
private struct StoreCarrier {
    private static let kinds: [(String, any KeyPath<OutsideChanges, Int> & Sendable)] = [
        ("inserted", \.takenOver), ("edited", \.edited), ("removed", \.removed), ("damaged", \.allDamage),
    ]

    private let todos, rows, waitingWrites, databaseBytes, logBytes: Meter
    private var outsideChanges: CarriedCounters

    init(_ factory: any MetricsFactory) {
        todos = Meter(label: MetricName.todos, factory: factory)
        rows = Meter(label: MetricName.rows, factory: factory)
        waitingWrites = Meter(label: MetricName.waitingWrites, factory: factory)
        databaseBytes = Meter(label: MetricName.databaseBytes, factory: factory)
        logBytes = Meter(label: MetricName.logBytes, factory: factory)
        outsideChanges = CarriedCounters(
            MetricName.outsideChanges, "kind", values: Self.kinds.map(\.0), in: factory)
    }

    mutating func carry(_ figures: NodeFigures.OfStore, _ system: SystemFigures) {
        todos.set(figures.todos)
        rows.set(Double(figures.rows))
        waitingWrites.set(figures.waitingWrites)
        for (kind, path) in Self.kinds { outsideChanges.carry(figures.outsideChanges[keyPath: path], kind) }
        databaseBytes.set(system.databaseBytes)
        logBytes.set(system.logBytes)
    }
}

/// What replication tells.
private struct ReplicationCarrier {
    private static let counters: [(String, any KeyPath<ReplicationStats, Int> & Sendable)] = [
        (MetricName.sentRows, \.sentRows), (MetricName.relayedChanges, \.relayedMessages),
        (MetricName.receivedChanges, \.receivedMessages), (MetricName.receivedRows, \.receivedRows),
        (MetricName.duplicateChanges, \.duplicateMessages), (MetricName.malformedReplication, \.malformedMessages),
        (MetricName.unknownVersions, \.unknownVersions), (MetricName.unknownRecords, \.unknownRecords),
        (MetricName.mergedRows, \.mergedRows), (MetricName.aheadRows, \.aheadRows),
        (MetricName.failedMerges, \.failedMerges), (MetricName.gaps, \.gaps), (MetricName.pulledGaps, \.pulledGaps),
        (MetricName.sentPulls, \.sentPulls), (MetricName.receivedPulls, \.receivedPulls),
        (MetricName.answeredPulls, \.answeredPulls), (MetricName.startedWalks, \.startedWalks),
        (MetricName.productiveWalks, \.productiveWalks), (MetricName.failedWalks, \.failedWalks),
        (MetricName.walkRoundTrips, \.walkRoundTrips), (MetricName.servedWalks, \.servedWalks),
    ]

    private let factory: any MetricsFactory
    private let ready, synced, openGaps, clockError: Meter
    private let obstacles: [(Obstacle, Meter)]
    private var counters: [CarriedCounter]
    private var sentChanges, walkRows, exchangeBytes: CarriedCounters
    /// Peers that have a series.
    private var lagging: Set<NodeID> = []
    private var names: [NodeID: String] = [:]

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        ready = Meter(label: MetricName.ready, factory: factory)
        synced = Meter(label: MetricName.synced, factory: factory)
        openGaps = Meter(label: MetricName.openGaps, factory: factory)
        clockError = Meter(label: MetricName.clockError, factory: factory)
        obstacles = Obstacle.allCases.map { obstacle in
            (obstacle, Meter(label: MetricName.obstacles, dimensions: [("cause", obstacle.rawValue)], factory: factory))
        }
        counters = Self.counters.map { CarriedCounter($0.0, in: factory) }
        sentChanges = CarriedCounters(
            MetricName.sentChanges, "way", values: MetricName.Way.allCases.map(\.rawValue), in: factory)
        let directions = MetricName.Direction.allCases.map(\.rawValue)
        walkRows = CarriedCounters(MetricName.walkRows, "direction", values: directions, in: factory)
        exchangeBytes = CarriedCounters(MetricName.exchangeBytes, "direction", values: directions, in: factory)
    }

    mutating func carry(_ figures: ReplicationFigures?, isReady: Bool, names: [NodeID: String]) {
        ready.set(isReady ? 1 : 0)
        synced.set(figures?.isSynced ?? true ? 1 : 0)
        guard let figures else { return }
        openGaps.set(figures.openGaps)
        for (obstacle, meter) in obstacles { meter.set(figures.obstacles[obstacle] ?? 0) }
        let stats = figures.stats
        for index in counters.indices { counters[index].carry(stats[keyPath: Self.counters[index].1]) }
        sentChanges.carry(stats.sentMessages, MetricName.Way.broadcast.rawValue)
        sentChanges.carry(stats.pushedMessages, MetricName.Way.exchange.rawValue)
        walkRows.carry(stats.walkRowsSent, MetricName.Direction.sent.rawValue)
        walkRows.carry(stats.walkRowsReceived, MetricName.Direction.received.rawValue)
        exchangeBytes.carry(figures.traffic.sentBytes, MetricName.Direction.sent.rawValue)
        exchangeBytes.carry(figures.traffic.receivedBytes, MetricName.Direction.received.rawValue)
        clockError.set(Self.error(figures.clock))
        carry(figures.peers, names: names)
    }

    private static func error(_ state: ClockState) -> Double {
        switch state {
        case .alone, .right: 0
        case .wrong(let milliseconds): Double(milliseconds) / 1_000
        case .unknown(let milliseconds): 0 - Double(milliseconds) / 1_000
        }
    }

    private mutating func carry(_ peers: [PeerReplicationStatus], names: [NodeID: String]) {
        let lags = Dictionary(
            peers.compactMap { peer in peer.lag.map { (peer.nodeID, $0) } }, uniquingKeysWith: { first, _ in first })
        // Who is gone first: those who are there need the room. A node that has another name now is another series.
        for node in lagging where lags[node] == nil || !Self.isSame(self.names[node], names[node]) {
            meter(node, self.names).destroy()
        }
        self.names = names
        lagging = Set(lags.keys)
        for (node, lag) in lags { meter(node, names).set(max(0, lag.inSeconds)) }
    }

    private static func isSame(_ one: String?, _ other: String?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        return one.isSame(as: other)
    }

    /// A peer whose name membership has forgotten in this moment goes by its id.
    private func meter(_ node: NodeID, _ names: [NodeID: String]) -> Meter {
        Meter(label: MetricName.lag, dimensions: [("peer", names[node] ?? "\(node)")], factory: factory)
    }
}

/// What membership tells.
private struct MembershipCarrier {
    private static let counters: [(String, any KeyPath<MembershipStats, Int> & Sendable)] = [
        (MetricName.probes, \.probes), (MetricName.failedProbes, \.failedProbes),
        (MetricName.suspicions, \.suspicions), (MetricName.failures, \.failures),
        (MetricName.refutations, \.refutations), (MetricName.pauses, \.pauses), (MetricName.pushPulls, \.pushPulls),
        (MetricName.ignoredMembership, \.ignoredMessages),
    ]

    private let members: [(MemberStatus, Meter)]
    private let unconfirmed, localHealth: Meter
    private var counters: [CarriedCounter]
    private var malformed: CarriedCounter

    init(_ factory: any MetricsFactory) {
        members = MemberStatus.allCases.map { status in
            (status, Meter(label: MetricName.members, dimensions: [("state", status.rawValue)], factory: factory))
        }
        unconfirmed = Meter(label: MetricName.unconfirmedMembers, factory: factory)
        localHealth = Meter(label: MetricName.localHealth, factory: factory)
        counters = Self.counters.map { CarriedCounter($0.0, in: factory) }
        malformed = CarriedCounter(MetricName.malformedMembership, in: factory)
    }

    mutating func carry(_ figures: MembershipFigures) {
        for (status, meter) in members { meter.set(figures.members[status] ?? 0) }
        unconfirmed.set(figures.unconfirmedMembers)
        localHealth.set(figures.localHealth)
        for index in counters.indices { counters[index].carry(figures.stats[keyPath: Self.counters[index].1]) }
        malformed.carry(figures.malformedMessages)
    }
}

/// What every transport tells.
private struct TransportCarrier {
    private struct OfChannel {
        let channel: Channel
        var sentMessages, sentBytes, receivedMessages, receivedBytes: CarriedCounter
        let sendQueueMessages, sendQueueBytes, receiveQueueMessages, receiveQueueBytes: Meter

        init(_ channel: Channel, _ factory: any MetricsFactory) {
            let labels = [("channel", channel.description)]
            func counter(_ name: String) -> CarriedCounter { CarriedCounter(name, labels, in: factory) }
            func meter(_ name: String) -> Meter { Meter(label: name, dimensions: labels, factory: factory) }
            self.channel = channel
            sentMessages = counter(MetricName.sentMessages)
            sentBytes = counter(MetricName.sentBytes)
            receivedMessages = counter(MetricName.receivedMessages)
            receivedBytes = counter(MetricName.receivedBytes)
            sendQueueMessages = meter(MetricName.sendQueueMessages)
            sendQueueBytes = meter(MetricName.sendQueueBytes)
            receiveQueueMessages = meter(MetricName.receiveQueueMessages)
            receiveQueueBytes = meter(MetricName.receiveQueueBytes)
        }

        mutating func carry(_ stats: TransportStats.OfChannel) {
            sentMessages.carry(stats.sent.messages)
            sentBytes.carry(stats.sent.bytes)
            receivedMessages.carry(stats.received.messages)
            receivedBytes.carry(stats.received.bytes)
            sendQueueMessages.set(stats.sendQueue.messages)
            sendQueueBytes.set(stats.sendQueue.bytes)
            receiveQueueMessages.set(stats.receiveQueue.messages)
            receiveQueueBytes.set(stats.receiveQueue.bytes)
        }
    }

    private var channels: [OfChannel]
    private var drops, refusals: CarriedCounters
    private let openExchanges: Meter

    init(_ factory: any MetricsFactory) {
        channels = Channel.allCases.map { OfChannel($0, factory) }
        drops = CarriedCounters(
            MetricName.drops, "cause", values: DropCause.allCases.map(\.metricName), in: factory)
        refusals = CarriedCounters(
            MetricName.refusals, "reason", values: Refusal.allCases.map(\.metricName), in: factory)
        openExchanges = Meter(label: MetricName.openExchanges, factory: factory)
    }

    mutating func carry(_ stats: TransportStats) {
        for index in channels.indices { channels[index].carry(stats[channels[index].channel]) }
        for (cause, count) in stats.drops { drops.carry(count, cause.metricName) }
        for (refusal, count) in stats.refusals { refusals.carry(count, refusal.metricName) }
        openExchanges.set(stats.openExchanges)
    }
}

/// What the kernel tells.
private struct SystemCarrier {
    private var processorSeconds: CarriedSum
    private let residentBytes, virtualBytes, openDescriptors, maxDescriptors, startTime, threads: Meter

    init(_ factory: any MetricsFactory) {
        processorSeconds = CarriedSum(MetricName.processorSeconds, in: factory)
        residentBytes = Meter(label: MetricName.residentBytes, factory: factory)
        virtualBytes = Meter(label: MetricName.virtualBytes, factory: factory)
        openDescriptors = Meter(label: MetricName.openDescriptors, factory: factory)
        maxDescriptors = Meter(label: MetricName.maxDescriptors, factory: factory)
        startTime = Meter(label: MetricName.startTime, factory: factory)
        threads = Meter(label: MetricName.threads, factory: factory)
    }

    mutating func carry(_ figures: SystemFigures) {
        processorSeconds.carry(figures.processorSeconds)
        residentBytes.set(figures.residentBytes)
        virtualBytes.set(figures.virtualBytes)
        openDescriptors.set(figures.openDescriptors)
        maxDescriptors.set(figures.maxDescriptors)
        startTime.set(figures.startTime)
        threads.set(figures.threads)
    }
}
