internal import Transport

/// One who may be a member, and how far the tries to reach it are: it waits for the next one, is being resolved, or is being
/// asked at its addresses.
struct JoinTarget: Sendable {
    enum Name: Hashable, Sendable {
        case seed(String)
        case member(String)
    }

    let name: Name
    /// Whether the start waits for this one.
    let countsForStart: Bool
    /// The member of an earlier run that it is.
    let known: KnownMember?
    let addedAt: EngineInstant
    private let isHostName: Bool
    /// The one that is written, or what the name service said last.
    private(set) var addresses: [PeerAddress]
    /// How long the wait after the next failure is.
    var backOff: Duration
    /// When the next try begins, or the one under way is given up.
    var nextTry: EngineInstant

    private(set) var isResolving = false
    /// Addresses whose answer is awaited, and those that came in this try.
    private var pending: [PeerAddress] = []
    private var outcomes: [SeedJoiner.Outcome] = []
    /// How the last try ended.
    private(set) var lastOutcome: SeedJoiner.Outcome?
    /// When the first of the refusals came after which nothing else did.
    private(set) var refusingSince: EngineInstant?
    private var lastRefusal: EngineInstant?

    /// Without addresses it is a host name.
    init(
        _ name: Name, _ addresses: [PeerAddress], countsForStart: Bool, known: KnownMember? = nil, backOff: Duration,
        firstTry: EngineInstant, at now: EngineInstant
    ) {
        self.name = name
        self.known = known
        self.countsForStart = countsForStart
        addedAt = now
        isHostName = addresses.isEmpty
        self.addresses = addresses
        self.backOff = backOff
        nextTry = firstTry
    }

    var isUnderWay: Bool { isResolving || !pending.isEmpty }

    /// From the first to the last refusal in a row.
    var hasRefusedFor: Duration? {
        guard let refusingSince, let lastRefusal else { return nil }
        return lastRefusal - refusingSince
    }

    /// A try begins, which is given up at `limit`.
    mutating func begin(until limit: EngineInstant) -> [SeedJoiner.Step] {
        outcomes = []
        nextTry = limit
        if case .seed(let seed) = name, isHostName {
            // Resolved afresh each time: the seed may have moved.
            isResolving = true
            return [.resolve(seed)]
        }
        pending = addresses
        return addresses.map { .pushPull($0) }
    }

    /// The name service has told `addresses`; those of `asked` are asked, where no member lives. `hasLiving`: members live at
    /// others of them, so that the name has led to the cluster, whatever comes of these.
    mutating func resolved(
        _ addresses: [PeerAddress], asking asked: [PeerAddress], hasLiving: Bool
    ) -> [SeedJoiner.Step] {
        isResolving = false
        self.addresses = addresses
        pending = asked
        if hasLiving { outcomes = [.joined] }
        return pending.map { .pushPull($0) }
    }

    /// Whether there is no need to try it now. A name is tried for ever: behind it may be some that have never met those
    /// that live.
    func isSettled(isLiving: (PeerAddress) -> Bool) -> Bool { !isHostName && addresses.contains(where: isLiving) }

    /// Returns what came of the try when nobody else is awaited.
    mutating func answered(_ outcome: SeedJoiner.Outcome, from address: PeerAddress) -> SeedJoiner.Outcome? {
        guard pending.contains(address) else { return nil }
        pending.removeAll { $0 == address }
        outcomes.append(outcome)
        return pending.isEmpty ? Self.summary(outcomes) : nil
    }

    /// The try is over, whoever was still awaited.
    mutating func end(_ outcome: SeedJoiner.Outcome, at now: EngineInstant) {
        isResolving = false
        pending = []
        lastOutcome = outcome
        if outcome == .refused {
            refusingSince = refusingSince ?? now
            lastRefusal = now
        } else {
            refusingSince = nil
        }
    }

    /// One outcome for a seed of several addresses: whoever answers is enough, and it refuses only if all do.
    private static func summary(_ outcomes: [SeedJoiner.Outcome]) -> SeedJoiner.Outcome {
        if outcomes.contains(.joined) { return .joined }
        let others = outcomes.filter { $0 != .ownAddress }
        return others.first { $0 != .refused } ?? others.first ?? .ownAddress
    }
}
