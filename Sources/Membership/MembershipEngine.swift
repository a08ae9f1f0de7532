package import Transport

/// SWIM membership and failure detection (Das et al. 2002) with Lifeguard (arXiv:1707.00788), by memberlist's rules.
///
/// A plain value: feed it inputs and the time, carry out the effects it returns, and call `advance(to:)` no later than
/// `nextDeadline`. Same seed and inputs, same effects. `now` never decreases between calls.
///
/// The engine has a clock of its own that stands still while the process did: an input that comes later than a deadline
/// by more than `pauseThreshold` shows a pause, and all timers move by it. So a node that was stopped does not accuse
/// members whose answers lie unread in its sockets.
package struct MembershipEngine: Sendable {
    /// What the driver is to do.
    package enum Effect: Hashable, Sendable {
        /// One datagram to one address. Best effort.
        case send(MembershipMessage, to: PeerAddress)
        /// Best effort to all members, by gossip. News about a member replaces queued news with the same `about`.
        case broadcast(MembershipMessage, about: String)
        /// Open an exchange, send `localState(isJoin:)`, read the answer and call `merge`; on failure `pushPullFailed`.
        case pushPull(with: PeerAddress, isJoin: Bool)
        /// Open an exchange and send the ping; if an ack with its number comes back, call `streamPingAnswered`. No
        /// report on failure. Give up after the ping timeout times the local health limit.
        case streamPing(PingBody, to: PeerAddress)
        /// Ask the name service and call `seedResolved`, with no addresses on failure.
        case resolveSeed(String)
        case emit(MembershipEvent)
    }

    /// What runs out.
    enum Timer: Hashable, Sendable {
        case probe
        case probeStage(UInt32)
        case relay(UInt32)
        case suspicion(String)
        case confirmation
        case pushPull
        case sweep
        case addressRefutation
    }

    /// Where news comes from, from the least to the most believed.
    enum Source: Int, Comparable {
        case anyone
        /// A member, as far as an address shows it.
        case vouched
        /// The list of somebody whom we dialled.
        case dialled
        /// What somebody whom we dialled says of itself.
        case itself

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    /// Highest incarnation that is believed. Accusations are believed below it only, so that there is always room for
    /// the refutation; no node that counts its own refutations comes near.
    package static let maxIncarnation: UInt32 = 1 << 31
    /// Highest incarnation of a member heard of for the first time, unless on a stream that we dialled.
    package static let maxFirstIncarnation: UInt32 = 1 << 24
    /// Furthest that a member's incarnation moves at once, a known one's or our own, unless it says so itself on a
    /// stream that we dialled, or we learn of our own on one.
    package static let maxIncarnationStep: UInt32 = 1 << 20
    /// Outdated accusations, of this node or of one whose answer it knows, that are answered, so that nobody is flooded with answers.
    package static let maxAnswersPerSecond = 16
    /// Between answers to a running copy of this node.
    package static let addressRefutationInterval: Duration = .seconds(1)
    /// Claimants of taken names that are remembered, so that each is reported once.
    package static let maxReportedConflicts = 64
    /// So many members allow one confirming ping more in each interval: a thousand that start together would otherwise
    /// take a quarter of a minute to meet.
    static let membersPerConfirmation = 8
    /// Between dials of whoever probes a node that knows nobody.
    static let askingWhoProbesInterval: Duration = .milliseconds(250)
    /// How often failed and left members are looked through for those to forget.
    static let sweepInterval: Duration = .seconds(5)

    package let configuration: MembershipConfiguration
    package internal(set) var local: LocalMember
    /// How often this node had to contradict what was said of it, plus one.
    package internal(set) var incarnation: UInt32 = 1
    package internal(set) var isLeaving = false
    package internal(set) var stats = MembershipStats()

    var clock: EngineInstant
    var pauses: Duration = .zero
    let startedAt: EngineInstant
    var leavingSince: EngineInstant?
    var generator: SeededGenerator
    var sequences: SequenceNumbers
    var timers = TimerQueue<Timer>()
    var table = MemberTable()
    var health: LocalHealth
    var probes: [UInt32: Probe] = [:]
    var relays: [UInt32: Relay] = [:]
    var suspicions: [String: Suspicion] = [:]
    var joiner: SeedJoiner
    var confirmationWindowEnd = EngineInstant.zero
    var confirmationsLeft = 0
    var plainConfirmationsLeft = 0
    var isConfirmationTimerSet = false
    var reportedConflicts: [NameConflict] = []
    var answerWindowEnd = EngineInstant.zero
    var answersLeft = 0
    /// When we last said that we do not live where somebody put us, and what is to be answered next.
    var addressRefutedAt: EngineInstant?
    var postponedRefutation: UInt32?
    /// When a ping may next make a node that knows nobody ask who sent it.
    var nextAskingWhoProbes = EngineInstant.zero
    /// Between push/pulls, while they become rarer after the start.
    var settlingInterval: Duration
    /// Since `join`, until each whom it named has answered or was given up once.
    var isAsking = false
    private var outbox: [Effect] = []

    /// A node that knows nobody. `configuration` must pass `validate()`; all randomness follows from `seed`, which
    /// should be unpredictable in production, since ping numbers come from it.
    package init(
        configuration: MembershipConfiguration = .lan, local: LocalMember, seed: UInt64, at now: EngineInstant = .zero
    ) {
        let faults = configuration.validate()
        precondition(faults.isEmpty, "unusable membership configuration: \(faults)")
        self.configuration = configuration
        self.local = local
        clock = now
        startedAt = now
        sequences = SequenceNumbers(key: seed)
        // Its choices can be watched; they must not lead back to the key.
        generator = SeededGenerator(seed: sequences.nextWord())
        settlingInterval = configuration.firstPushPullInterval
        health = LocalHealth(limit: configuration.localHealthLimit)
        joiner = SeedJoiner(configuration: configuration.joining, local: local)
        table.fixedOrderLimit = Self.smallClusterLimit(configuration)
        // Random first delays keep nodes that start together from probing in step.
        timers.add(.probe, at: now + generator.duration(in: .zero...configuration.probeInterval))
        timers.add(.pushPull, at: now + generator.duration(in: .zero...configuration.firstPushPullInterval))
        timers.add(.sweep, at: now + Self.sweepInterval)
    }

    // MARK: - Time

    /// Earliest instant at which `advance(to:)` has work.
    package var nextDeadline: EngineInstant? { nextOwnDeadline.map { $0 + pauses } }

    /// The engine's own clock at `now`: it leaves out the time in which the process stood still. `lastSeen` and
    /// `statusChangedAt` are on it.
    package func ownTime(at now: EngineInstant) -> EngineInstant { now + (.zero - pauses) }

    /// Does what is due. Hand over what has arrived before calling this.
    package mutating func advance(to now: EngineInstant) -> [Effect] {
        enter(now)
        while let timer = timers.takeDue(at: clock) { fire(timer) }
        compactTimers()
        runJoiner()
        return takeEffects()
    }

    // MARK: - Members

    /// All known members by name, this node among them.
    package var members: [Member] {
        var members = table.slotsByName.map { table[$0].member }
        let place = members.firstIndex { $0.name > local.name } ?? members.endIndex
        members.insert(localMember, at: place)
        return members
    }

    /// Members with that status, this node included.
    package func count(of status: MemberStatus) -> Int {
        table.count(of: status) + (localMember.status == status ? 1 : 0)
    }

    /// The same for confirmed members alone: not for those of whom it was only heard.
    package func confirmedCount(of status: MemberStatus) -> Int {
        table.confirmedCount(of: status) + (localMember.status == status ? 1 : 0)
    }

    /// Confirmed members that are alive or suspect, without this node; in no particular order, which follows from the seed.
    package var livingMembers: [Member] { table[.live].map { table[$0].member } }

    /// Members heard of whom nobody here has reached yet.
    package var unconfirmedCount: Int { table.unconfirmedCount }

    /// Nobody was heard of, and nobody is a seed or was a member in an earlier run, who may be there and has not been asked.
    package var arePeersComplete: Bool { table.unconfirmedCount == 0 && !isAsking }

    /// Confirmed members that failed, which are tried again.
    package var failedMembers: [Member] {
        table[.retired].map { table[$0].member }.filter { $0.status == .failed }
    }

    /// How full everything is that others can fill.
    package var occupancy: [Occupancy] {
        let known = table.count + 1
        return [
            Occupancy("members", known, limit: configuration.maxMembers),
            Occupancy("unconfirmed members", table.unconfirmedCount, limit: configuration.maxUnconfirmedMembers),
            Occupancy("relays", relays.count, limit: configuration.maxRelays),
            Occupancy("suspicions", suspicions.count, limit: known),
            Occupancy("reported conflicts", reportedConflicts.count, limit: Self.maxReportedConflicts),
            Occupancy("probes", probes.count, limit: Self.maxProbes(configuration, memberCount: known)),
            Occupancy("timers", timers.count, limit: Self.maxTimers(running: timersRunning) + known),
        ]
    }

    /// The member of that name, this node included.
    package func member(named name: String) -> Member? {
        name == local.name ? localMember : table.slot(named: name).map { table[$0].member }
    }

    /// This node as it shows itself.
    package var localMember: Member {
        Member(
            name: local.name, nodeID: local.nodeID, address: local.address, tags: local.tags, incarnation: incarnation,
            status: isLeaving ? .leaving : .alive, isConfirmed: true, lastSeen: clock,
            statusChangedAt: leavingSince ?? startedAt)
    }

    /// Confirmed members that live, plus this node: the N of all formulas.
    package var clusterSize: Int { table.liveCount + 1 }

    /// Lifeguard's multiplier, 0 when healthy.
    package var localHealth: Int { health.score }

    /// Timers in the queue, those that lost their meaning included; for the test of its bound.
    package var timerCount: Int { timers.count }

    /// Claimants of taken names that are remembered; for the test of its bound.
    package var reportedConflictCount: Int { reportedConflicts.count }

    // MARK: - Inside

    var nextOwnDeadline: EngineInstant? {
        guard !isLeaving, let joining = joiner.nextDeadline else { return timers.earliest }
        return timers.earliest.map { min($0, joining) } ?? joining
    }

    var localAlive: AliveBody {
        AliveBody(incarnation: incarnation, node: local.name, address: local.address, meta: local.meta)
    }

    /// Every input begins here: sets the engine's clock, and notices pauses.
    mutating func enter(_ now: EngineInstant) {
        clock = ownTime(at: now)
        joiner.clusterSize = clusterSize
        guard let due = nextOwnDeadline, clock - due > configuration.pauseThreshold else { return }
        let lateness = clock - due
        // The clock falls a little behind the earliest deadline, so that what lies unread is handled before it.
        pauses += lateness + configuration.pauseGrace
        clock = ownTime(at: now)
        stats.pauses += 1
        emit(.pauseNoticed(lateness))
    }

    mutating func perform(_ effect: Effect) { outbox.append(effect) }

    mutating func emit(_ event: MembershipEvent) { outbox.append(.emit(event)) }

    /// Every input ends here.
    mutating func takeEffects() -> [Effect] {
        if isAsking, !joiner.isAsking(isLiving: { table.livingSlot(at: $0) != nil }) {
            isAsking = false
            emit(.everyoneAsked)
        }
        defer { outbox = [] }
        return outbox
    }

    private mutating func fire(_ timer: Timer) {
        switch timer {
        case .probe: probeTick()
        case .probeStage(let sequence): probeStageEnded(sequence)
        case .relay(let sequence): relayEnded(sequence)
        case .suspicion(let name): suspicionEnded(name)
        case .confirmation:
            isConfirmationTimerSet = false
            confirmWaiting()
        case .pushPull: pushPullTick()
        case .sweep: sweep()
        case .addressRefutation: addressRefutationDue()
        }
    }

    private var timersRunning: Int { probes.count + relays.count + suspicions.count }

    /// Timers beyond which the dead ones are thrown out.
    private static func maxTimers(running: Int) -> Int { 2 * running + 1_024 }

    /// Probes that can be under way at once: those of the longest deadline, at the quickest pace, and the confirming ones.
    private static func maxProbes(_ configuration: MembershipConfiguration, memberCount: Int) -> Int {
        let deadline = configuration.probeTimeout * configuration.localHealthLimit
        let pace = configuration.probeInterval / 2
        let windows = configuration.probeTimeout.wholeNanoseconds / configuration.confirmationInterval.wholeNanoseconds
        return Int(deadline.wholeNanoseconds / max(1, pace.wholeNanoseconds)) + 2
            + max(configuration.confirmationsPerInterval, memberCount / membersPerConfirmation)
            * (Int(windows) + 2)
    }

    /// Timers that lost their meaning stay in the queue until their time; this keeps them from piling up when somebody
    /// makes suspicions start and end without pause.
    private mutating func compactTimers() {
        guard timers.count > Self.maxTimers(running: timersRunning) else { return }
        timers.compact { timer in
            switch timer {
            case .probe, .confirmation, .pushPull, .sweep, .addressRefutation: true
            case .probeStage(let sequence): probes[sequence] != nil
            case .relay(let sequence): relays[sequence] != nil
            case .suspicion: false
            }
        }
        for (name, suspicion) in suspicions.sorted(by: { $0.key < $1.key }) {
            timers.add(.suspicion(name), at: suspicion.deadline)
        }
    }
}

/// What the engine counted since its start.
package struct MembershipStats: Hashable, Sendable {
    /// Ordinary probes begun, and those without any answer.
    package var probes = 0
    package var failedProbes = 0
    /// Pings to members nobody here had reached yet.
    package var confirmingPings = 0
    /// Indirect pings carried out for others, and those dropped at the limit.
    package var relays = 0
    package var droppedRelays = 0
    /// Messages that made no sense here: for another name, of an unusable member, an incarnation out of bounds.
    package var ignoredMessages = 0
    /// Hearsay about new members that was dropped because the list is full.
    package var refusedMembers = 0
    /// Push/pulls merged, and those refused.
    package var pushPulls = 0
    package var refusedPushPulls = 0
    /// Accusations of this node that it contradicted.
    package var refutations = 0
    /// Members that this node began to suspect, by its own probes or on somebody's word, and those whose failure it noted.
    package var suspicions = 0
    package var failures = 0
    /// Times that this process stood still.
    package var pauses = 0

    /// Nothing yet.
    package init() {}
}
