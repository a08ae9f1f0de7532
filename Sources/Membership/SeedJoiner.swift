internal import Transport

/// Tries to reach those who may be members: seeds, members known from an earlier run, and members that failed.
///
/// Each is tried again for ever with exponential back-off and jitter, unless it is a living member already, so that
/// clusters which never knew each other merge and what was cut off is found again. Once, `decision` says how this node
/// starts. A plain value inside `MembershipEngine`, on the engine's own clock.
///
/// After the start the tries of all together keep a distance (`maxRetriesPerSecond`), however many are missing. When
/// more are due than that allows, the one that is late by most of its own back-off is next: each gets its share, and
/// what failed lately a greater one than what failed long ago.
package struct SeedJoiner: Sendable {
    /// How one try ended.
    package enum Outcome: String, Hashable, Sendable {
        case joined
        /// Nothing listens there.
        case refused
        case noAnswer
        /// The name service does not know the host, or does not answer.
        case resolutionFailed
        case otherKey
        case otherTransport
        case otherVersion
        /// The address leads back here.
        case ownAddress
        /// The cluster there has another node of our name.
        case nameConflict
    }

    /// What is to be done: reported back with `resolved` or `report`.
    enum Step: Hashable, Sendable {
        case resolve(String)
        case pushPull(PeerAddress)
    }

    /// Most addresses of one name.
    private static let maxAddressesKept = 256

    private let configuration: JoinConfiguration
    private let isOwn: @Sendable (PeerAddress) -> Bool
    private var targets: [JoinTarget] = []
    private var start: StartWatch
    /// When the next try may begin, of those that keep a distance.
    private var nextRetry = EngineInstant.zero
    private var clusterSize = 1
    /// Some seed or member of an earlier run has neither answered nor been given up once since `begin`.
    private(set) var isAsking = false
    /// When a try begins or ends.
    private var nextTry: EngineInstant?

    /// When `advance` or one of the questions about the start has work.
    var nextDeadline: EngineInstant? {
        guard let next = start.nextDeadline else { return nextTry }
        return nextTry.map { min($0, next) } ?? next
    }

    /// `local` tells which addresses are this node's own.
    init(configuration: JoinConfiguration, local: LocalMember) {
        self.configuration = configuration
        start = StartWatch(configuration: configuration)
        isOwn = { local.isOwn($0) }
    }

    /// Begins with seeds (`host:port`) and members of an earlier run; call `advance` and `decision` then.
    /// `hasData`: this node need not wait for what others may have.
    mutating func begin(seeds: [String], knownMembers: [KnownMember], hasData: Bool, at now: EngineInstant) {
        start.begin(hasData: hasData, at: now)
        for seed in seeds where targets.count < configuration.maxSeeds {
            let address = PeerAddress(seed)
            if let address, isOwn(address) { continue }
            add(
                JoinTarget(
                    .seed(seed), address.map { [$0] } ?? [], countsForStart: true, backOff: configuration.firstBackOff,
                    firstTry: now, at: now))
        }
        for member in knownMembers where !isOwn(member.address) {
            add(
                JoinTarget(
                    .member(member.name), [member.address], countsForStart: true, known: member,
                    backOff: configuration.firstBackOff, firstTry: now, at: now))
        }
        isAsking = isAwaitingAnswers { _ in false }
        refreshDeadline()
    }

    /// Members of earlier runs that have neither come nor left since this one began.
    var missedMembers: [KnownMember] { targets.compactMap(\.known) }

    /// Members that live, this node included: all of them try the same failed member.
    mutating func setClusterSize(_ count: Int) { clusterSize = count }

    /// Begins to try a member that failed.
    mutating func memberFailed(_ name: String, _ address: PeerAddress, at now: EngineInstant) {
        remove(.member(name))
        let backOff = min(configuration.maxMemberBackOff, configuration.maxStartBackOff)
        add(
            JoinTarget(
                .member(name), [address], countsForStart: false, backOff: backOff, firstTry: now + backOff, at: now))
        refreshDeadline()
    }

    /// A member is living, gone for good, or forgotten: no need to try it, nor, where it lives, what a node with its id or at
    /// its address was called in an earlier run.
    mutating func memberSettled(_ name: String, nodeID: NodeID? = nil, address: PeerAddress? = nil) {
        guard !targets.isEmpty else { return }
        targets.removeAll { target in
            guard target.name != .member(name) else { return true }
            guard let known = target.known else { return false }
            return known.address == address || (nodeID != nil && known.nodeID == nodeID)
        }
        refreshDeadline()
    }

    /// Starts the tries that are due and ends those that nobody reported back.
    mutating func advance(
        to now: EngineInstant, isLiving: (PeerAddress) -> Bool, using generator: inout SeededGenerator
    ) -> [Step] {
        guard let due = nextDeadline, due <= now else { return [] }
        var steps: [Step] = []
        var underWay = targets.count { $0.isUnderWay }
        var late: [Int] = []
        for index in targets.indices where targets[index].nextTry <= now {
            if targets[index].isUnderWay {
                // Set to the limit when the try began.
                endTry(index, .noAnswer, at: now, using: &generator)
                underWay -= 1
            } else if targets[index].isSettled(isLiving: isLiving) {
                targets[index].nextTry = now + longestBackOff(targets[index], at: now)
            } else if keepsDistance(targets[index]) {
                late.append(index)
            } else if underWay < configuration.maxAttemptsAtOnce {
                steps += beginTry(index, at: now)
                underWay += 1
            } else {
                targets[index].nextTry = now + configuration.firstBackOff
            }
        }
        if nextRetry <= now, let index = mostOverdue(late, at: now) {
            if underWay < configuration.maxAttemptsAtOnce {
                steps += beginTry(index, at: now)
                nextRetry = now + configuration.retryDistance
            } else {
                nextRetry = now + configuration.firstBackOff
            }
        }
        refreshDeadline()
        return Self.unique(steps)
    }

    /// What the name service said of `seed`; nothing when it failed.
    mutating func resolved(
        _ seed: String, _ addresses: [PeerAddress], at now: EngineInstant, isLiving: (PeerAddress) -> Bool,
        using generator: inout SeededGenerator
    ) -> [Step] {
        defer { refreshDeadline() }
        guard let index = targets.firstIndex(where: { $0.name == .seed(seed) && $0.isResolving }) else { return [] }
        guard !addresses.isEmpty else {
            endTry(index, .resolutionFailed, at: now, using: &generator)
            return []
        }
        let others = Array(Self.unique(addresses).filter { !isOwn($0) }.prefix(Self.maxAddressesKept))
        var missing = others.filter { !isLiving($0) }
        let hasLiving = missing.count < others.count
        if missing.count > configuration.maxAddressesPerSeed {
            // Others each time, so that each has its turn.
            missing = Array(missing.shuffled(using: &generator).prefix(configuration.maxAddressesPerSeed))
        }
        let steps = targets[index].resolved(others, asking: missing, hasLiving: hasLiving)
        if steps.isEmpty {
            endTry(index, others.isEmpty ? .ownAddress : .joined, at: now, using: &generator)
            // All live: it is asked now and then, since there may be new ones.
            if !others.isEmpty {
                targets[index].nextTry = now + generator.duration(in: around(configuration.slowBackOff))
            }
        }
        return steps
    }

    /// How a push/pull with `address` ended.
    mutating func report(
        _ outcome: Outcome, from address: PeerAddress, at now: EngineInstant, using generator: inout SeededGenerator
    ) {
        for index in targets.indices.reversed() {
            guard let summary = targets[index].answered(outcome, from: address) else { continue }
            endTry(index, summary, at: now, using: &generator)
        }
        refreshDeadline()
    }

    /// How this node starts, as soon as that is known; given once. `hasMembers`: some confirmed member lives, be it one
    /// that no seed led to. `mayHaveMembers`: somebody was heard of and is being asked.
    mutating func decision(at now: EngineInstant, hasMembers: Bool, mayHaveMembers: Bool) -> StartDecision? {
        guard start.isUndecided,
            let decision = start.decision(awaited, hasMembers: hasMembers, mayHaveMembers: mayHaveMembers, at: now)
        else { return nil }
        refreshDeadline()
        return decision
    }

    /// `true` once: all others refuse, and a node without data waits for them.
    mutating func takeWaitNotice() -> Bool { start.takeWaitNotice() }

    /// `true` once: a node that opened since all refused has waited for them long enough, and they still do.
    mutating func hasJustSettled(at now: EngineInstant, hasMembers: Bool) -> Bool {
        start.hasJustSettled(awaited, hasMembers: hasMembers, at: now)
    }

    /// `true` once: when everyone whom `begin` named has answered, be it with a refusal, or was given up once.
    mutating func hasJustAskedEveryone(at now: EngineInstant, isLiving: (PeerAddress) -> Bool) -> Bool {
        start.endWait(at: now)
        guard isAsking, !isAwaitingAnswers(isLiving: isLiving) else { return false }
        isAsking = false
        return true
    }

    private func isAwaitingAnswers(isLiving: (PeerAddress) -> Bool) -> Bool {
        targets.contains { target in
            target.countsForStart && start.isAwaiting(target) && !target.addresses.contains(where: isLiving)
        }
    }

    /// Those whom the start waits for.
    private var awaited: [JoinTarget] { targets.filter(\.countsForStart) }

    private mutating func add(_ target: JoinTarget) {
        guard !targets.contains(where: { $0.name == target.name }) else { return }
        targets.append(target)
    }

    private mutating func remove(_ name: JoinTarget.Name) { targets.removeAll { $0.name == name } }

    private mutating func beginTry(_ index: Int, at now: EngineInstant) -> [Step] {
        targets[index].begin(until: now + configuration.attemptLimit)
    }

    private mutating func endTry(
        _ index: Int, _ outcome: Outcome, at now: EngineInstant, using generator: inout SeededGenerator
    ) {
        let wasJoined = targets[index].lastOutcome == .joined
        targets[index].end(outcome, at: now)
        let longest = longestBackOff(targets[index], at: now)
        var wait = min(targets[index].backOff, longest)
        targets[index].backOff = min(wait * 2, longest)
        switch (outcome, targets[index].name) {
        case (.joined, .seed), (.ownAddress, _):
            wait = isAwaitedAtStart(targets[index]) ? longest : max(longest, configuration.settledSeedBackOff)
            targets[index].backOff = configuration.firstBackOff
        case (.joined, .member) where !wasJoined:
            // It answers, but is not living yet: it has just heard that it was thought failed, and will say so soon.
            wait = configuration.maxStartBackOff
            targets[index].backOff = min(wait * 2, longest)
        default: break
        }
        var next = now + generator.duration(in: around(wait))
        if start.isUndecided, let since = targets[index].refusingSince {
            // The refusal that ends the period should come at its end, not one back-off later.
            let periodEnd = since + configuration.refusalPeriod
            if now < periodEnd { next = min(next, periodEnd) }
        }
        targets[index].nextTry = next
    }

    /// At the start every moment counts, and few are tried.
    private func isAwaitedAtStart(_ target: JoinTarget) -> Bool { start.isUndecided && target.countsForStart }

    private func keepsDistance(_ target: JoinTarget) -> Bool { !isAwaitedAtStart(target) }

    private func longestBackOff(_ target: JoinTarget, at now: EngineInstant) -> Duration {
        if isAwaitedAtStart(target) { return configuration.maxStartBackOff }
        let usual: Duration
        switch target.name {
        case .seed: usual = configuration.maxSeedBackOff
        case .member:
            if now - target.addedAt > configuration.longFailed { return configuration.slowBackOff }
            usual = configuration.maxMemberBackOff
        }
        return min(max(usual, configuration.retryDistance * clusterSize), configuration.slowBackOff)
    }

    private func around(_ wait: Duration) -> ClosedRange<Duration> { wait * 3 / 4...wait * 5 / 4 }

    /// The one that is late by most of its longest back-off.
    private func mostOverdue(_ late: [Int], at now: EngineInstant) -> Int? {
        var most: (index: Int, lateness: Double)?
        for index in late {
            let lateness = (now - targets[index].nextTry) / longestBackOff(targets[index], at: now)
            if most.map({ lateness > $0.lateness }) ?? true { most = (index, lateness) }
        }
        return most?.index
    }

    private mutating func refreshDeadline() {
        var next: EngineInstant?
        for target in targets {
            // A deadline that has passed would be taken for a pause of the process.
            let canWait = keepsDistance(target) && !target.isUnderWay
            let instant = canWait ? max(target.nextTry, nextRetry) : target.nextTry
            next = min(next ?? instant, instant)
        }
        nextTry = next
    }

    private static func unique<Value: Hashable>(_ values: [Value]) -> [Value] {
        var seen: Set<Value> = []
        return values.filter { seen.insert($0).inserted }
    }
}
