internal import Transport

/// The pings whose answers this node awaits: its own probes, and indirect pings for others. Also its local health, which the
/// outcomes of probes change.
struct Prober: Sendable {
    /// What the answer is for.
    private enum Purpose: Sendable {
        case probe(Probe)
        case relay(Relay)
    }

    /// Between dials of a peer that probes a node that knows nobody.
    private static let askingBackInterval: Duration = .milliseconds(250)

    private var sequences: SequenceNumbers
    private var pings: [UInt32: Purpose] = [:]
    /// How many of `pings` are for others.
    private(set) var relayCount = 0
    private var health: LocalHealth
    private var askingBack = RateWindow(every: askingBackInterval)

    init(sequences: SequenceNumbers, healthLimit: Int) {
        self.sequences = sequences
        health = LocalHealth(limit: healthLimit)
    }

    var pingCount: Int { pings.count }
    var probeCount: Int { pings.count - relayCount }

    func isAwaited(_ sequence: UInt32) -> Bool { pings[sequence] != nil }

    // MARK: - Probes

    /// Begins a probe under a fresh random number: a peer that has not seen the ping cannot answer it.
    mutating func begin(_ probe: Probe) -> UInt32 {
        let sequence = freshSequence()
        pings[sequence] = .probe(probe)
        return sequence
    }

    func probe(_ sequence: UInt32) -> Probe? {
        if case .probe(let probe)? = pings[sequence] { probe } else { nil }
    }

    mutating func endProbe(_ sequence: UInt32) -> Probe? {
        guard let probe = probe(sequence) else { return nil }
        pings[sequence] = nil
        return probe
    }

    mutating func endAllProbes() {
        pings = pings.filter { if case .relay = $0.value { true } else { false } }
    }

    /// Helpers were asked, so many of which owe a nack.
    mutating func helpersAsked(_ sequence: UInt32, owingNacks count: Int) {
        setStage(sequence, .indirect(missingNacks: count, askedForNacks: count > 0))
    }

    /// A helper did not reach the target either.
    mutating func nacked(_ sequence: UInt32) {
        guard case .indirect(let missing, let asked)? = probe(sequence)?.stage, missing > 0 else { return }
        setStage(sequence, .indirect(missingNacks: missing - 1, askedForNacks: asked))
    }

    private mutating func setStage(_ sequence: UInt32, _ stage: Probe.Stage) {
        guard var probe = probe(sequence) else { return }
        probe.stage = stage
        pings[sequence] = .probe(probe)
    }

    private mutating func freshSequence() -> UInt32 {
        while true {
            let sequence = sequences.next()
            if pings[sequence] == nil { return sequence }
        }
    }

    // MARK: - For others

    /// Begins an indirect ping.
    mutating func begin(_ relay: Relay) -> UInt32 {
        let sequence = freshSequence()
        pings[sequence] = .relay(relay)
        relayCount += 1
        return sequence
    }

    mutating func endRelay(_ sequence: UInt32) -> Relay? {
        guard case .relay(let relay)? = pings[sequence] else { return nil }
        pings[sequence] = nil
        relayCount -= 1
        return relay
    }

    /// Whether a peer that probes this node may be dialled now.
    mutating func mayAskBack(at now: EngineInstant) -> Bool { askingBack.take(of: 1, at: now) }

    // MARK: - Local health

    /// Lifeguard's multiplier, 0 when healthy.
    var healthScore: Int { health.score }

    /// Returns the new score if it changed.
    mutating func changeHealth(by delta: Int) -> Int? {
        let before = health.score
        health.apply(delta)
        return health.score == before ? nil : health.score
    }

    /// `duration` as long as local health asks for.
    func stretched(_ duration: Duration) -> Duration { health.scale(duration) }
}

/// One probe under way, known by the number of its ping.
struct Probe: Sendable {
    enum Stage: Sendable {
        /// An unconfirmed member was pinged; nobody else is asked.
        case confirming
        /// The member was pinged; its ack is awaited.
        case direct
        /// Helpers and the stream were asked; this many helpers owe us a nack.
        case indirect(missingNacks: Int, askedForNacks: Bool)
    }

    let target: String
    /// Where the ping went.
    let address: PeerAddress
    fileprivate(set) var stage: Stage
    let began: EngineInstant
    /// When the probe has failed.
    let deadline: EngineInstant

    init(of record: MemberRecord, stage: Stage, at now: EngineInstant, deadline: EngineInstant) {
        target = record.name
        address = record.address
        self.stage = stage
        began = now
        self.deadline = deadline
    }
}

/// An indirect ping that this node carries out for another, known by the number of its own ping.
struct Relay: Sendable {
    let asker: PeerAddress
    /// The asker's number.
    let sequence: UInt32
    let wantsNack: Bool
}
