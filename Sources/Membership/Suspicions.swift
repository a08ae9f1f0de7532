internal import Transport

/// The running suspicions of other members, by name.
struct Suspicions: Sendable {
    /// When a suspicion ends, for a timer.
    typealias Deadline = (name: String, instant: EngineInstant)

    private var byName: [String: Suspicion] = [:]

    var count: Int { byName.count }

    /// When the member of that name is declared failed; `nil` when it is not suspected.
    func deadline(of name: String) -> EngineInstant? { byName[name]?.deadline }

    /// All deadlines, sorted by name.
    var deadlines: [Deadline] { byName.sorted { $0.key < $1.key }.map { ($0.key, $0.value.deadline) } }

    mutating func begin(_ suspicion: Suspicion, of name: String) { byName[name] = suspicion }

    mutating func end(_ name: String) { byName[name] = nil }

    mutating func endAll() { byName = [:] }

    /// Counts one more accuser of `name`. Returns the new deadline, or `nil` when the accuser adds nothing.
    mutating func confirm(_ name: String, by accuser: String) -> EngineInstant? {
        guard byName[name]?.confirm(by: accuser) == true else { return nil }
        return deadline(of: name)
    }

    /// Sorted, since their order reaches the timers.
    var names: [String] { byName.keys.sorted() }

    /// No more than `needed` members are left who could confirm this suspicion. Returns its deadline if that changes it.
    mutating func lower(_ name: String, toNeeded needed: Int) -> EngineInstant? {
        guard let suspicion = byName[name], suspicion.needed > needed else { return nil }
        byName[name]?.lower(toNeeded: needed)
        return deadline(of: name)
    }
}
