internal import Transport

/// The effects of one input, and the bound on answers to what others say.
struct Outbox: Sendable {
    private var effects: [MembershipEngine.Effect] = []
    private var answers = RateWindow(every: .seconds(1))

    mutating func add(_ effect: MembershipEngine.Effect) { effects.append(effect) }

    /// Sends an answer to somebody who has missed something, unless this second's answers are used up: nobody is flooded
    /// with answers.
    mutating func answer(_ message: MembershipMessage, to peer: PeerAddress, at now: EngineInstant) {
        guard answers.take(of: MembershipEngine.maxAnswersPerSecond, at: now) else { return }
        effects.append(.send(message, to: peer))
    }

    mutating func takeAll() -> [MembershipEngine.Effect] {
        defer { effects = [] }
        return effects
    }
}
