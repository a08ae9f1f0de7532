package import Membership
package import Replication
package import Transport

/// What a simulated cluster is made of.
package struct WorldOptions: Sendable {
    package var nodeCount = 3
    package var transport = TransportKind.udp
    package var store = StoreKind.memory
    package var faults = Faults()
    /// Mechanisms that are switched off, to see who notices.
    package var without: Set<Mechanism> = []
    package var membership = MembershipConfiguration()
    package var replication = ReplicationConfiguration()

    package init() {}
}

/// One cluster in one process, in virtual time, from one seed: everything above sockets and disks is the real thing.
///
/// The same options and seed give the same trace on every run, in debug and in release: nothing here may depend on wall
/// time, on addresses in memory or on the order of hashed collections.
package final class World {
    enum Event: Sendable {
        case packet([UInt8], from: Int, to: Int, epoch: Int)
        case wake(Int, epoch: Int)
        case begin(Int, epoch: Int)
        case commit(Int, epoch: Int)
        case answer(Int, epoch: Int)
        case tell(Int, epoch: Int)
        case exchange(ExchangeEvent)
        case connection(from: Int, to: Int)
        case resume(Int, epoch: Int)
        case unread(Int, epoch: Int)
        case resolved(String, by: Int, epoch: Int)
        case action(Int)
    }

    /// Where seeds are addresses, they are those of the first nodes.
    static let seedCount = 3
    /// Where seeds are a name.
    static let hostName = "cluster.test:7946"

    let options: WorldOptions
    package private(set) var now = EngineInstant.zero
    var generator: SeededGenerator
    /// For databases.
    var diskGenerator: SeededGenerator
    var nodes: [SimulatedNode] = []
    var network: Network
    package internal(set) var ledger = Ledger()
    /// How writes spread, where it is measured.
    package internal(set) var spread: Spread?
    /// What members have thought of each other, where it is noted.
    package internal(set) var verdicts: [Verdict]?
    package internal(set) var violations: [Violation] = []
    package internal(set) var stats = WorldStats()
    var trace = Trace()
    var exchanges: [Int: SimulatedExchange] = [:]
    var exchangeCount = 0
    /// The last stamp of each node, and the number of its last start.
    var lastTimes: [Int: Stamp] = [:]
    var lastStarts: [Int: UInt64] = [:]
    /// Living members that are seen as failed, and since when.
    var failedViews: [FailedView: EngineInstant] = [:]
    /// When nodes that were killed for good were found out, by their index.
    package internal(set) var detections: [Int: Detection] = [:]
    /// Faults have ended.
    var isMended = false
    /// Nodes whose wall clocks may be wrong; fewer than half, but where `Faults.anyClock` says so.
    private(set) var astray: Set<Int> = []
    /// Writes that clients have tried.
    var writeCount = 0
    /// Gets a line for whatever happens, if somebody wants to watch.
    private let watch: ((String) -> Void)?
    private var queue = EventQueue<Event>()
    /// What faults and clients do later, by number.
    private var actions: [Int: (World) -> Void] = [:]
    private var actionCount = 0
    private(set) var hasHostName = false
    /// See `Faults.shortMemory`.
    private(set) var hasShortMemory = false

    package init(_ options: WorldOptions, seed: UInt64, watch: ((String) -> Void)? = nil) {
        self.watch = watch
        self.options = options
        generator = SeededGenerator(seed: seed)
        diskGenerator = SeededGenerator(seed: ~seed)
        network = Network(count: options.nodeCount, hasConnections: options.transport == .zmq)
        for index in 0..<options.nodeCount {
            let node = SimulatedNode(index: index, replica: makeDatabase(NodeID(generator.next() | 1)))
            let spread = options.faults.clockSpread.wholeNanoseconds / 1_000_000
            node.clock.offsetMilliseconds = spread > 0 ? Int64.random(in: -spread...spread, using: &generator) : 0
            let drift = options.faults.drift
            node.clock.drift = drift > 0 ? Int.random(in: -drift...drift, using: &generator) : 0
            nodes.append(node)
        }
        hasHostName = chance(options.faults.hostNames)
        chooseAstray()
        hasShortMemory = chance(options.faults.shortMemory)
    }

    /// Fewer than half of the clocks are ever wrong, so that the others show which; or any may be.
    private func chooseAstray() {
        guard options.faults.touchClocks else { return }
        let all = Array(nodes.indices).shuffled(using: &generator)
        astray = Set(chance(options.faults.anyClock) ? all[...] : all.prefix((all.count - 1) / 2))
        for index in all where astray.contains(index) && chance(options.faults.wrongClocks) {
            nodes[index].clock.offsetMilliseconds = Int64.random(in: -Self.day...Self.day, using: &generator)
        }
    }

    static let day: Int64 = 86_400_000

    /// What each node is told to look for.
    var seeds: [String] {
        if hasHostName { return [Self.hostName] }
        return nodes.indices.filter(isSeed).map { "\(SimulatedNode.address($0))" }
    }

    func isSeed(_ index: Int) -> Bool { hasHostName || index < Self.seedCount }

    func say(_ text: @autoclosure () -> String) {
        guard let watch else { return }
        let milliseconds = now.nanoseconds / 1_000_000
        let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
        watch("\(milliseconds / 1_000).\(fraction) \(text())")
    }

    /// Of everything that has happened so far.
    package var fingerprint: UInt64 { trace.value }

    // MARK: Time

    /// Runs until `end`.
    package func run(until end: EngineInstant) {
        while let next = queue.earliest, next <= end {
            now = max(now, next)
            while let event = queue.takeDue(at: now) { handle(event) }
        }
        now = end
    }

    func schedule(_ event: Event, in delay: Duration) { queue.add(event, at: now + max(.zero, delay)) }

    func schedule(_ event: Event, at instant: EngineInstant) { queue.add(event, at: max(now, instant)) }

    /// Does something later.
    package func perform(in delay: Duration, _ action: @escaping (World) -> Void) {
        actionCount += 1
        actions[actionCount] = action
        schedule(.action(actionCount), in: delay)
    }

    /// What was planned by `perform` is off.
    func cancelActions() { actions = [:] }

    package func chance(_ probability: Double) -> Bool {
        probability > 0 && Double.random(in: 0..<1, using: &generator) < probability
    }

    func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

    private func handle(_ event: Event) {
        stats.events += 1
        switch event {
        case .packet(let content, let from, let to, let epoch):
            guard nodes[to].epoch == epoch else { return }
            deliver(content, from: from, to: to)
        case .wake(let index, let epoch):
            guard nodes[index].epoch == epoch, nodes[index].process?.wakeAt == now else { return }
            nodes[index].process?.wakeAt = nil
            if nodes[index].process?.isPaused == false { wake(index) }
        case .begin(let index, let epoch):
            if nodes[index].epoch == epoch { beginTransaction(index) }
        case .commit(let index, let epoch):
            if nodes[index].epoch == epoch { finishCommit(index) }
        case .answer(let index, let epoch):
            if nodes[index].epoch == epoch { answerOldest(index) }
        case .tell(let index, let epoch):
            if nodes[index].epoch == epoch { tell(index) }
        case .exchange(let event): handle(event)
        case .connection(let from, let to): proceedConnection(from, to)
        case .resume(let index, let epoch):
            if nodes[index].epoch == epoch { resume(index) }
        case .unread(let index, let epoch):
            if nodes[index].epoch == epoch { readUnread(index) }
        case .resolved(let seed, let index, let epoch):
            if nodes[index].epoch == epoch { finishResolving(seed, by: index) }
        case .action(let number):
            let action = actions.removeValue(forKey: number)
            action?(self)
        }
    }
}
