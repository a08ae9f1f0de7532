internal import Transport

/// When a node may begin: what those whom it was told of have answered, and how long it waits for them.
struct StartWatch: Sendable {
    private enum WaitNotice { case none, due, given }

    private let configuration: JoinConfiguration
    /// This node has rows. One without waits for those that may have some.
    private var hasData = false
    private var startedAt = EngineInstant.zero
    /// `nil` before the start, and once its decision is made.
    private var deadline: EngineInstant?
    /// Until when a node without data waits for those that refuse.
    private var waitsUntil: EngineInstant?
    /// When a node that opened since all refused may take itself for the cluster.
    private var settlesAt: EngineInstant?
    private var notice = WaitNotice.none

    init(configuration: JoinConfiguration) { self.configuration = configuration }

    /// The decision is not made yet, so that every moment counts.
    var isUndecided: Bool { deadline != nil }

    /// When one of the questions below has another answer at the latest.
    var nextDeadline: EngineInstant? { [deadline, waitsUntil, settlesAt].compactMap { $0 }.min() }

    mutating func begin(hasData: Bool, at now: EngineInstant) {
        self.hasData = hasData
        startedAt = now
        let hearsayPeriod = min(configuration.hearsayPeriod, configuration.joinTimeout)
        deadline = now + (configuration.isBootstrap ? hearsayPeriod : configuration.joinTimeout)
        waitsUntil = hasData || configuration.isBootstrap ? nil : deadline
    }

    /// How this node starts, as soon as that is known; given once. `targets`: those whom the start waits for.
    mutating func decision(
        _ targets: [JoinTarget], hasMembers: Bool, mayHaveMembers: Bool, at now: EngineInstant
    ) -> StartDecision? {
        guard let deadline else { return nil }
        guard let decision = judge(targets, deadline, hasMembers, mayHaveMembers, now) else { return nil }
        if decision == .refused { settlesAt = deadline }
        self.deadline = nil
        return decision
    }

    private mutating func judge(
        _ targets: [JoinTarget], _ deadline: EngineInstant, _ hasMembers: Bool, _ mayHaveMembers: Bool,
        _ now: EngineInstant
    ) -> StartDecision? {
        let others = targets.filter { $0.lastOutcome != .ownAddress }
        if hasMembers || others.contains(where: { $0.lastOutcome == .joined }) { return .joined }
        let period = configuration.refusalPeriod
        let haveAllRefused = others.allSatisfy { target in target.hasRefusedFor.map { $0 >= period } ?? false }
        let hasAsked = now >= startedAt + configuration.hearsayPeriod
        // Bounded, since anybody can invent members.
        guard haveAllRefused && (!mayHaveMembers || hasAsked) else {
            guard now >= deadline else { return nil }
            return configuration.isBootstrap ? .first : .alone
        }
        if others.isEmpty || configuration.isBootstrap { return .first }
        if hasData { return .refused }
        if notice == .none { notice = .due }
        return now >= deadline ? .first : nil
    }

    /// `true` once: all others refuse, and a node without data waits for them.
    mutating func takeWaitNotice() -> Bool {
        guard notice == .due else { return false }
        notice = .given
        return true
    }

    /// Whether the answer of one of those is still awaited: a node without data takes no refusal for one yet.
    func isAwaiting(_ target: JoinTarget) -> Bool {
        target.lastOutcome == nil || (target.lastOutcome == .refused && waitsUntil != nil)
    }

    /// From its end on a refusal is an answer, also for a node without data.
    mutating func endWait(at now: EngineInstant) {
        if let instant = waitsUntil, instant <= now { waitsUntil = nil }
    }

    /// `true` once: a node that opened since all refused has waited for them long enough, and they still do.
    mutating func hasJustSettled(_ targets: [JoinTarget], hasMembers: Bool, at now: EngineInstant) -> Bool {
        guard let instant = settlesAt, instant <= now else { return false }
        settlesAt = nil
        return !hasMembers && targets.allSatisfy { [.refused, .ownAddress].contains($0.lastOutcome) }
    }
}
