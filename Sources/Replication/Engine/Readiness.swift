/// From start to open, and whether this node has everything that a synced donor had.
struct Readiness: Sendable {
    private enum Phase: Sendable {
        /// Nobody has said how this start stands.
        case undecided
        case syncing(FirstSync)
        case ready
    }

    private var phase = Phase.undecided
    /// This start found no row.
    private var beganEmpty = false
    /// Everything that a synced donor had committed is here.
    private(set) var isSynced = false

    var isUndecided: Bool {
        if case .undecided = phase { return true }
        return false
    }

    var isReady: Bool {
        if case .ready = phase { return true }
        return false
    }

    /// The first sync, while it lasts.
    var sync: FirstSync? {
        if case .syncing(let sync) = phase { return sync }
        return nil
    }

    /// All that this node has came from others.
    var isBlank: Bool { beganEmpty && !isReady }

    mutating func noteStart(isEmpty: Bool) { beganEmpty = isEmpty }

    mutating func begin(_ sync: FirstSync) { phase = .syncing(sync) }

    /// Changes the first sync; `nil` when there is none.
    @discardableResult
    mutating func update<Result>(_ body: (inout FirstSync) -> Result) -> Result? {
        guard case .syncing(var sync) = phase else { return nil }
        defer { phase = .syncing(sync) }
        return body(&sync)
    }

    mutating func open(isSynced: Bool) {
        phase = .ready
        self.isSynced = isSynced
    }

    /// The data of an open node is known to be complete; `false` when that is no news, or the node is not open.
    mutating func noteSynced() -> Bool {
        guard isReady, !isSynced else { return false }
        isSynced = true
        return true
    }
}
