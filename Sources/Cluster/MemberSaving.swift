internal import Transport

/// When the members are written to the database: after a change, at most once in a while.
struct MemberSaving: Sendable {
    static let interval: Duration = .seconds(1)

    private var isNeeded = false
    private var notBefore = EngineInstant.zero

    var deadline: EngineInstant? { isNeeded ? notBefore : nil }

    mutating func noteChange() { isNeeded = true }

    /// Whether to write now. Once for all changes.
    mutating func takeDue(at now: EngineInstant) -> Bool {
        guard isNeeded, notBefore <= now else { return false }
        isNeeded = false
        notBefore = now + Self.interval
        return true
    }
}
