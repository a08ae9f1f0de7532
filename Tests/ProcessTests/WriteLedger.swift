import Foundation

/// What clients wrote, what they were told of it, and hence what a cluster may show once it has settled.
///
/// Two kinds of keys:
///
/// - An *owned* key is written by one client, one write after the other, through one node. That node orders the writes by
///   its clock, which never goes back, so the last acknowledged one has to be shown. After a write of which the client
///   does not know whether it happened the key is written no more: a node that stood still may carry the write out at any
///   later time. So the key shows that write or the one before.
/// - A *shared* key is written by all clients through all nodes, also while these do not hear each other. What it shows
///   must have been written by somebody, and by nobody who was clearly earlier than somebody else.
struct WriteLedger: Sendable {
    /// How a todo looks; a key without one has none.
    struct Value: Equatable, Sendable {
        var text: String
        var isCompleted = false
    }

    enum Write: Equatable, Sendable {
        case create(String)
        case update(text: String?, isCompleted: Bool?)
        case delete

        func applied(to value: Value?) -> Value? {
            switch self {
            case .create(let text): return Value(text: text)
            case .delete: return nil
            case .update(let text, let isCompleted):
                guard var value else { return nil }
                value.text = text ?? value.text
                value.isCompleted = isCompleted ?? value.isCompleted
                return value
            }
        }

        fileprivate var text: String? {
            switch self {
            case .create(let text): text
            case .update(let text, _): text
            case .delete: nil
            }
        }
    }

    /// What a client knows of its write.
    enum Outcome: Equatable, Sendable {
        /// It has happened, and is durable.
        case acknowledged
        /// It may have happened, or may yet.
        case unknown
        /// It has not happened: nobody listened, or the node said so.
        case refused
    }

    private struct OwnedKey {
        var value: Value?
        /// The last write, if it may have happened.
        var doubtful: Write?
    }

    private struct SharedWrite {
        var write: Write
        var begin: ContinuousClock.Instant
        /// When it was acknowledged; `nil`: unknown.
        var end: ContinuousClock.Instant?
    }

    /// How far a node's clock may be ahead of the wall's: a node that was killed continues from the time it had reserved,
    /// a second ahead, and the others follow what they get from it. Writes to shared keys that are closer are not ordered.
    private static let clockSlack: Duration = .milliseconds(2_500)

    private var owned: [String: OwnedKey] = [:]
    private var shared: [String: [SharedWrite]] = [:]
    private(set) var acknowledgedCount = 0
    private(set) var unknownCount = 0
    private(set) var refusedCount = 0
    /// Answers that no node may give, whatever happens around it.
    private(set) var contradictions: [String] = []

    /// What an owned key shows at its node; `nil` when there is no todo. Not for keys in doubt.
    func value(of key: String) -> Value? { owned[key]?.value }

    func isInDoubt(_ key: String) -> Bool { owned[key]?.doubtful != nil }

    mutating func note(_ outcome: Outcome, of write: Write, toOwned key: String) {
        precondition(!isInDoubt(key), "\(key) is in doubt")
        count(outcome)
        switch outcome {
        case .acknowledged: owned[key, default: OwnedKey()].value = write.applied(to: value(of: key))
        case .unknown: owned[key, default: OwnedKey()].doubtful = write
        case .refused: break
        }
    }

    /// - Parameters:
    ///   - begin: before it was sent.
    ///   - end: after it was answered.
    mutating func note(
        _ outcome: Outcome, of write: Write, toShared key: String, begin: ContinuousClock.Instant,
        end: ContinuousClock.Instant
    ) {
        count(outcome)
        guard outcome != .refused else { return }
        shared[key, default: []].append(
            SharedWrite(write: write, begin: begin, end: outcome == .acknowledged ? end : nil))
    }

    private mutating func count(_ outcome: Outcome) {
        switch outcome {
        case .acknowledged: acknowledgedCount += 1
        case .unknown: unknownCount += 1
        case .refused: refusedCount += 1
        }
    }

    mutating func contradict(_ text: String) { contradictions.append(text) }

    /// Adds what another client knows, which owns other keys.
    mutating func add(_ other: WriteLedger) {
        owned.merge(other.owned) { _, _ in preconditionFailure("an owned key has two owners") }
        shared.merge(other.shared, uniquingKeysWith: +)
        acknowledgedCount += other.acknowledgedCount
        unknownCount += other.unknownCount
        refusedCount += other.refusedCount
        contradictions += other.contradictions
    }

    /// What is wrong with these, all todos of one node of a cluster that has settled.
    func faults(in todos: [Todo]) -> [String] {
        var shown: [String: Value] = [:]
        for todo in todos { shown[todo.extern_id] = Value(text: todo.todo, isCompleted: todo.completed) }
        var faults = contradictions
        for (key, known) in owned.sorted(by: { $0.key < $1.key }) {
            let possible = [known.value] + (known.doubtful.map { [$0.applied(to: known.value)] } ?? [])
            if !possible.contains(shown[key]) {
                faults.append("\(key) shows \(Self.text(shown[key])), not \(possible.map(Self.text))")
            }
        }
        for (key, writes) in shared.sorted(by: { $0.key < $1.key }) {
            if let fault = Self.fault(of: shown[key], after: writes) { faults.append("\(key) \(fault)") }
        }
        for key in shown.keys.sorted() where owned[key] == nil && shared[key] == nil {
            faults.append("\(key) is there, but nobody made it")
        }
        return faults
    }

    private static func fault(of shown: Value?, after writes: [SharedWrite]) -> String? {
        guard let shown else {
            let wasMade = writes.contains { if case .create = $0.write { $0.end != nil } else { false } }
            return wasMade && !writes.contains { $0.write == .delete } ? "is gone, but nobody deleted it" : nil
        }
        guard let write = writes.first(where: { $0.write.text == shown.text }) else {
            return "shows \(text(shown)), which nobody wrote"
        }
        if shown.isCompleted, !writes.contains(where: { $0.write == .update(text: nil, isCompleted: true) }) {
            return "is completed, which nobody wrote"
        }
        guard let end = write.end,
            let later = writes.first(where: { $0.write.text != nil && $0.end != nil && $0.begin > end + clockSlack })
        else { return nil }
        return "shows \(text(shown)), older than \(later.write.text ?? "") by \(later.begin - end)"
    }

    private static func text(_ value: Value?) -> String {
        value.map { "\"\($0.text)\"\($0.isCompleted ? ", completed" : "")" } ?? "nothing"
    }
}
