internal import Transport

/// The exchanges of one channel: the state of each, and the deadline by which its peer has to do something.
///
/// An exchange that is over stays until the driver reports its end, so that its last messages have a deadline too.
struct Conversations<Talk: Sendable>: Sendable {
    private struct Entry: Sendable {
        /// `nil`: over, and only the end is awaited.
        var talk: Talk?
        let peer: PeerAddress
        var deadline: EngineInstant?
        /// Messages of the last step that are not handed over yet, and whether the own store is asked after them.
        var unsentCount = 0
        var asksStore = false
        /// Time was added to this deadline.
        var wasGranted = false
    }

    /// A deadline that passed so long ago was not looked at in time.
    private static var standstill: Duration { .seconds(1) }
    private static var grace: Duration { .milliseconds(500) }

    /// Exchanges at once, of both directions. A plugin's own bound is lower.
    static var limit: Int { 1_024 }

    private let channel: Channel
    private var entries: [ExchangeID: Entry] = [:]
    private var dialCount: UInt64 = 0

    init(on channel: Channel) { self.channel = channel }

    var count: Int { entries.count }
    var isFull: Bool { entries.count >= Self.limit }
    /// Asked for after every input: a key path in a generic type costs more than all the rest of one.
    var nextDeadline: EngineInstant? { entries.values.lazy.compactMap { $0.deadline }.min() }

    /// A dial. The plugin has a deadline of its own for it.
    mutating func dial(_ peer: PeerAddress, _ talk: Talk) -> ExchangeID {
        dialCount += 1
        let id = ExchangeID.dialled(dialCount, on: channel)
        entries[id] = Entry(talk: talk, peer: peer, deadline: nil)
        return id
    }

    mutating func accept(_ id: ExchangeID, from peer: PeerAddress, _ talk: Talk, until deadline: EngineInstant) {
        entries[id] = Entry(talk: talk, peer: peer, deadline: deadline)
    }

    func peer(of id: ExchangeID) -> PeerAddress? { entries[id]?.peer }

    /// Moves the state out, so that changing it copies nothing. `nil` for an exchange that is unknown or over.
    mutating func take(_ id: ExchangeID) -> Talk? {
        guard let index = entries.index(forKey: id) else { return nil }
        return entries.values[index].talk.take()
    }

    /// Puts the changed state back without a next step: this node works, and the peer has no deadline.
    mutating func put(_ talk: Talk, _ id: ExchangeID) {
        guard let index = entries.index(forKey: id) else { return }
        entries.values[index].talk = talk
        entries.values[index].deadline = nil
    }

    /// Puts the changed state back with its next step, and gives the effect for it. `talk` is `nil` when the exchange is
    /// over after this step.
    ///
    /// The peer has until `deadline` to take the first message, or to send its next. The own store has no deadline.
    mutating func follow(
        _ step: ExchangeStep, _ id: ExchangeID, _ talk: Talk?, until deadline: EngineInstant
    ) -> NodeCore.Effect {
        if let index = entries.index(forKey: id) {
            let asksStore = if case .ask = step.next { true } else { false }
            entries.values[index].talk = talk
            entries.values[index].unsentCount = step.messages.count
            entries.values[index].asksStore = asksStore
            entries.values[index].wasGranted = false
            entries.values[index].deadline = asksStore && step.messages.isEmpty ? nil : deadline
        }
        return .exchange(id, step)
    }

    /// The peer took a message. Its deadline moves to `deadline`, or ends when it is the own store's turn.
    mutating func sent(_ id: ExchangeID, until deadline: EngineInstant) {
        guard let index = entries.index(forKey: id), entries.values[index].unsentCount > 0 else { return }
        entries.values[index].unsentCount -= 1
        let isStoresTurn = entries.values[index].unsentCount == 0 && entries.values[index].asksStore
        entries.values[index].deadline = isStoresTurn ? nil : deadline
    }

    mutating func remove(_ id: ExchangeID) { entries[id] = nil }

    /// Exchanges whose peers have let their deadlines pass. Where that is long ago this node stood still itself, and what
    /// came meanwhile has not been read yet: such an exchange gets some time for that, once.
    mutating func takeDue(at now: EngineInstant) -> [ExchangeID] {
        let due = entries.filter { entry in entry.value.deadline.map { $0 <= now } ?? false }.keys.sorted()
        return due.filter { id in
            guard let entry = entries[id], let deadline = entry.deadline, now - deadline >= Self.standstill,
                !entry.wasGranted
            else { return true }
            entries[id]?.deadline = now + Self.grace
            entries[id]?.wasGranted = true
            return false
        }
    }
}
