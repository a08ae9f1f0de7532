internal import Transport

/// One running suspicion (Lifeguard §4.2): it lasts long while one accuser stands alone, and shrinks with each
/// independent confirmation.
struct Suspicion: Sendable {
    private let startedAt: EngineInstant
    private let minimum, maximum: Duration
    /// Confirmations that still count.
    private(set) var needed: Int
    /// The first accuser and those who confirmed, at most one more than `needed`.
    private var accusers: [String]
    /// When the suspect is declared failed.
    private(set) var deadline: EngineInstant

    init(accuser: String, needed: Int, minimum: Duration, maximum: Duration, at now: EngineInstant) {
        startedAt = now
        self.needed = needed
        self.minimum = minimum
        self.maximum = maximum
        accusers = [accuser]
        deadline = now
        refreshDeadline()
    }

    /// Counts `accuser`; `false` when it adds nothing, because it accused before or enough have.
    mutating func confirm(by accuser: String) -> Bool {
        guard accusers.count <= needed, !accusers.contains(accuser) else { return false }
        accusers.append(accuser)
        refreshDeadline()
        return true
    }

    /// Fewer are left who could confirm.
    mutating func lower(toNeeded fewer: Int) {
        needed = min(needed, fewer)
        refreshDeadline()
    }

    private mutating func refreshDeadline() {
        deadline =
            startedAt
            + Formulas.suspicionTimeout(
                confirmations: min(accusers.count - 1, needed), needed: needed, minimum: minimum, maximum: maximum)
    }
}
