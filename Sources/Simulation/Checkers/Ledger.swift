internal import Replication
internal import Transport

/// What clients did and were told: all that the checkers of data go by.
///
/// It keeps every write to every register as it was made, and judges replicas by one rule, spelled out here once more so
/// that a mistake in `Row.merged` is no mistake here: of the writes to a register the one with the greatest (time, origin)
/// stands.
package struct Ledger: Sendable {
    /// One write to one register.
    struct Version<Value: Hashable & Sendable>: Sendable {
        var value: Value
        var stamp: Stamp
        var span: Span
        /// The client was told that it is done.
        var isAcknowledged: Bool

        func isLater(than other: Stamp) -> Bool {
            (stamp.time.rawValue, stamp.origin.rawValue) > (other.time.rawValue, other.origin.rawValue)
        }
    }

    /// When a write was made, in the time of the world.
    struct Span: Sendable {
        var askedAt: EngineInstant
        var answeredAt: EngineInstant
        /// It was stamped with about the true time, or had to be.
        var isTimely: Bool
    }

    /// Every write to one todo, by register.
    struct Todo: Sendable {
        var presence: [Version<Presence>] = []
        var text: [Version<ByteString>] = []
        var completed: [Version<Bool>] = []
    }

    private(set) var todos: [ByteString: Todo] = [:]
    package private(set) var acknowledgedCount = 0
    package private(set) var refusedCount = 0
    /// Acknowledged writes that a fault took away which no database survives, such as an old backup put back.
    package private(set) var exemptedCount = 0

    /// A bit has changed on some disk: registers with the least stamp may be what is left of others.
    var allowsDamage = false

    init() {}

    /// A node has committed a client's write, after which the todo was `row` there. What bears its latest stamp was written.
    mutating func committed(_ row: Row, _ span: Span, isAcknowledged: Bool) {
        if isAcknowledged { acknowledgedCount += 1 }
        let stamp = row.latestStamp
        func version<Value>(_ register: Register<Value>?) -> Version<Value>? {
            guard let register, register.stamp == stamp else { return nil }
            return Version(value: register.value, stamp: stamp, span: span, isAcknowledged: isAcknowledged)
        }
        if let new = version(row.presence) { todos[row.key, default: Todo()].presence.append(new) }
        if let new = version(row.text) { todos[row.key, default: Todo()].text.append(new) }
        if let new = version(row.completed) { todos[row.key, default: Todo()].completed.append(new) }
    }

    /// Whether clients were told of a write of which a row has come, and `held` neither has it nor what superseded it.
    func isLacking(_ row: Row, in held: Row?) -> Bool {
        guard let todo = todos[row.key] else { return false }
        let end = held.flatMap { $0.isDeleted ? $0.presence.stamp : nil }
        func isLacking<Value>(_ versions: [Version<Value>], _ stamp: Stamp?, _ heldStamp: Stamp?) -> Bool {
            guard let stamp, versions.contains(where: { $0.isAcknowledged && $0.stamp == stamp }) else { return false }
            return ![heldStamp, end].contains { $0.map { $0 >= stamp } ?? false }
        }
        return isLacking(todo.presence, row.presence.stamp, held?.presence.stamp)
            || isLacking(todo.text, row.text?.stamp, held?.text?.stamp)
            || isLacking(todo.completed, row.completed?.stamp, held?.completed?.stamp)
    }

    mutating func refused() { refusedCount += 1 }

    /// A database is thrown away: what it had and none of `survivors` has may be gone, whoever acknowledged it.
    mutating func exempt(_ discarded: any Replica, survivors: [any Replica]) {
        let survivors = survivors.map(\.rows)
        for (key, discarded) in discarded.rows {
            guard var todo = todos[key] else { continue }
            let held = survivors.compactMap { $0[key]?.row }
            func exempt<Value>(_ versions: inout [Version<Value>], _ stamp: (Row) -> Stamp) {
                exemptedCount += Self.exempt(&versions) { version in
                    stamp(discarded.row) >= version && !held.contains { stamp($0) >= version }
                }
            }
            exempt(&todo.presence) { $0.presence.stamp }
            exempt(&todo.text) { $0.text?.stamp ?? $0.presence.stamp }
            exempt(&todo.completed) { $0.completed?.stamp ?? $0.presence.stamp }
            todos[key] = todo
        }
    }

    private static func exempt<Value>(_ versions: inout [Version<Value>], where isGone: (Stamp) -> Bool) -> Int {
        var count = 0
        for index in versions.indices where versions[index].isAcknowledged && isGone(versions[index].stamp) {
            versions[index].isAcknowledged = false
            count += 1
        }
        return count
    }
}

// What a replica has to hold in the end.
extension Ledger {
    /// What is wrong with a replica: the first fault of each kind.
    func faults(of replica: any Replica) -> [(checker: Violation.Checker, detail: String)] {
        var faults: [(checker: Violation.Checker, detail: String)] = []
        func report(_ checker: Violation.Checker, _ detail: String) {
            if !faults.contains(where: { $0.checker == checker }) { faults.append((checker, detail)) }
        }
        let rows = replica.rows
        for key in todos.keys.sorted() {
            guard let todo = todos[key] else { continue }
            if let fault = Self.loss(todo, rows[key]?.row) { report(fault, "\(key)") }
        }
        for row in replica.sortedRows {
            if let fault = invention(row.row) { report(.inventedWrite, "\(row.key): \(fault)") }
        }
        return faults
    }

    private static func loss(_ todo: Todo, _ row: Row?) -> Violation.Checker? {
        let needed = (latest(todo.presence), latest(todo.text), latest(todo.completed))
        if needed.0 == nil && needed.1 == nil && needed.2 == nil { return nil }
        guard let row else { return .lostWrite }
        if let presence = needed.0, presence.isLater(than: row.presence.stamp) {
            return presence.value == .deleted && row.presence.value != .deleted ? .resurrection : .lostWrite
        }
        // A delete ends what was written before it.
        let end = row.presence.value == .deleted ? row.presence.stamp : nil
        if let text = needed.1, end.map(text.isLater) ?? true, row.text.map({ text.isLater(than: $0.stamp) }) ?? true {
            return .lostWrite
        }
        if let tick = needed.2, end.map(tick.isLater) ?? true,
            row.completed.map({ tick.isLater(than: $0.stamp) }) ?? true
        {
            return .lostWrite
        }
        return nil
    }

    private func invention(_ row: Row) -> String? {
        guard let todo = todos[row.key] else { return "nobody wrote it" }
        if !contains(todo.presence, row.presence) { return "its presence" }
        if let text = row.text, !contains(todo.text, text) { return "its text" }
        if let completed = row.completed, !contains(todo.completed, completed) { return "its tick" }
        if row.presence.value != .deleted, row.text == nil || row.completed == nil { return "it is not whole" }
        return nil
    }

    private static func latest<Value>(_ versions: [Version<Value>]) -> Version<Value>? {
        var latest: Version<Value>?
        for version in versions where version.isAcknowledged {
            if latest.map({ version.isLater(than: $0.stamp) }) ?? true { latest = version }
        }
        return latest
    }

    private func contains<Value>(_ versions: [Version<Value>], _ register: Register<Value>) -> Bool {
        if allowsDamage, register.stamp == .least { return true }
        return versions.contains { $0.stamp == register.stamp && $0.value == register.value }
    }
}

// The order of writes as clients saw it.
extension Ledger {
    /// Of two writes further apart than this the later one has the later stamp, whoever made them: what two clocks may be off
    /// and what a stamp may be ahead of its clock.
    static let longestDisorder: Duration = .seconds(20)

    /// Todos that were written in another order than the stamps say. A write under a clock that was wrong orders nothing of
    /// its todo.
    var disorders: [String] {
        todos.keys.sorted().flatMap { key -> [String] in
            guard let todo = todos[key], todo.isTimely else { return [] }
            return [
                Self.disorder(todo.presence).map { "\(key), its presence: \($0)" },
                Self.disorder(todo.text).map { "\(key), its text: \($0)" },
                Self.disorder(todo.completed).map { "\(key), its tick: \($0)" },
            ].compactMap { $0 }
        }
    }

    private static func disorder<Value>(_ versions: [Version<Value>]) -> String? {
        let ended = versions.filter(\.isAcknowledged).sorted { $0.span.answeredAt < $1.span.answeredAt }
        var begun = ended
        begun.sort { $0.span.askedAt < $1.span.askedAt }
        var greatest: Version<Value>?
        var next = ended.startIndex
        for version in begun {
            while next < ended.endIndex, ended[next].span.answeredAt + longestDisorder < version.span.askedAt {
                if greatest.map({ ended[next].isLater(than: $0.stamp) }) ?? true { greatest = ended[next] }
                next += 1
            }
            if let greatest, greatest.isLater(than: version.stamp) {
                return "asked at \(version.span.askedAt), after the answer at \(greatest.span.answeredAt)"
            }
        }
        return nil
    }
}

extension Ledger.Todo {
    fileprivate var isTimely: Bool {
        presence.allSatisfy(\.span.isTimely) && text.allSatisfy(\.span.isTimely)
            && completed.allSatisfy(\.span.isTimely)
    }
}
