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
        /// The next push/pull. `settling` is the time to the one after it, while they become rarer after the start.
        case pushPull(settling: Duration)
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
    /// How often failed and left members are looked through for those to forget.
    static let sweepInterval: Duration = .seconds(5)

    package let configuration: MembershipConfiguration
    package internal(set) var stats = MembershipStats()
    var clock: OwnClock<Timer>
    var generator: SeededGenerator
    var own: SelfState
    var table: MemberTable
    var lane: ConfirmationLane
    var prober: Prober
    var suspicions = Suspicions()
    var joiner: SeedJoiner
    private var outbox = Outbox()

    /// A node that knows nobody. `configuration` must pass `validate()`; all randomness follows from `seed`, which
    /// should be unpredictable in production, since ping numbers come from it.
    package init(
        configuration: MembershipConfiguration = MembershipConfiguration(), local: LocalMember, seed: UInt64,
        at now: EngineInstant = .zero
    ) {
        let faults = configuration.validate()
        precondition(faults.isEmpty, "unusable membership configuration: \(faults)")
        self.configuration = configuration
        clock = OwnClock(
            at: now, pauseThreshold: configuration.pauseThreshold, pauseGrace: configuration.pauseGrace)
        var sequences = SequenceNumbers(key: seed)
        // The generator's choices can be watched; they must not lead back to the key.
        generator = SeededGenerator(seed: sequences.nextWord())
        own = SelfState(local, at: now)
        table = MemberTable(fixedOrderLimit: Self.smallClusterLimit(configuration))
        lane = ConfirmationLane(configuration)
        prober = Prober(sequences: sequences, healthLimit: configuration.localHealthLimit)
        joiner = SeedJoiner(configuration: configuration.joining, local: local)
        // Random first delays keep nodes that start together from probing in step.
        clock.add(.probe, in: generator.duration(in: .zero...configuration.probeInterval))
        let settling = configuration.firstPushPullInterval
        clock.add(.pushPull(settling: settling), in: generator.duration(in: .zero...settling))
        clock.add(.sweep, in: Self.sweepInterval)
    }

    // MARK: - Time

    /// Earliest instant at which `advance(to:)` has work.
    package var nextDeadline: EngineInstant? { nextOwnDeadline.map { clock.outsideTime(at: $0) } }

    /// The engine's own clock at `now`: it leaves out the time in which the process stood still. `lastSeen` and
    /// `statusChangedAt` are on it.
    package func ownTime(at now: EngineInstant) -> EngineInstant { clock.ownTime(at: now) }

    /// Does what is due. Hand over what has arrived before calling this.
    package mutating func advance(to now: EngineInstant) -> [Effect] {
        enter(now)
        while let timer = clock.takeDue() { fire(timer) }
        compactTimers()
        runJoiner()
        return takeEffects()
    }

    private var nextOwnDeadline: EngineInstant? {
        guard !isLeaving, let joining = joiner.nextDeadline else { return clock.earliestTimer }
        return clock.earliestTimer.map { min($0, joining) } ?? joining
    }

    private mutating func fire(_ timer: Timer) {
        switch timer {
        case .probe: probeTick()
        case .probeStage(let sequence): probeStageEnded(sequence)
        case .relay(let sequence): relayEnded(sequence)
        case .suspicion(let name): suspicionEnded(name)
        case .confirmation:
            lane.timerFired()
            confirmWaiting()
        case .pushPull(let settling): pushPullTick(settling: settling)
        case .sweep: sweep()
        case .addressRefutation: addressRefutationDue()
        }
    }

    /// Timers that lost their meaning stay in the queue until their time; this keeps them from piling up when somebody
    /// makes suspicions start and end without pause.
    private mutating func compactTimers() {
        guard clock.timerCount > maxTimers else { return }
        let prober = prober
        clock.compact { timer in
            switch timer {
            case .probe, .confirmation, .pushPull, .sweep, .addressRefutation: true
            case .probeStage(let sequence), .relay(let sequence): prober.isAwaited(sequence)
            case .suspicion: false
            }
        }
        for (name, deadline) in suspicions.deadlines { clock.add(.suspicion(name), at: deadline) }
    }

    /// Timers beyond which the dead ones are thrown out.
    var maxTimers: Int { 2 * (prober.pingCount + suspicions.count) + 1_024 }

    // MARK: - One input

    /// Every input begins here: sets the engine's clock, and notices pauses.
    mutating func enter(_ now: EngineInstant) {
        joiner.setClusterSize(clusterSize)
        guard let lateness = clock.enter(now, deadline: nextOwnDeadline) else { return }
        stats.pauses += 1
        emit(.pauseNoticed(lateness))
    }

    mutating func perform(_ effect: Effect) { outbox.add(effect) }

    mutating func emit(_ event: MembershipEvent) { outbox.add(.emit(event)) }

    /// Sends an answer to somebody who has missed something, as far as `maxAnswersPerSecond` allows.
    mutating func answer(_ message: MembershipMessage, to peer: PeerAddress) {
        outbox.answer(message, to: peer, at: clock.time)
    }

    /// Every input ends here.
    mutating func takeEffects() -> [Effect] {
        if joiner.hasJustAskedEveryone(at: clock.time, isLiving: { table.livingSlot(at: $0) != nil }) {
            emit(.everyoneAsked)
        }
        return outbox.takeAll()
    }
}
