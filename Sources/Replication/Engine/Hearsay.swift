internal import Transport

/// What peers tell of the streams of others that is not here, and when to ask one of the tellers for it.
///
/// Two nodes that do not reach each other get each other's changes so, by way of a third: their own ways are a pull from the
/// writer, which is lost too, and a walk with the third, seconds later. A head that is told moves no window, so that an
/// invented one leads to a walk and to nothing else. Such walks are a second apart, but for those that fail or take long: a
/// teller may be heard and not reached.
struct Hearsay: Hashable, Sendable {
    /// Tellers that wait to be asked, at most; who is left out tells again.
    static let maxTellers = 8
    /// Walks at once, at most.
    static let maxWalks = 3
    /// From the beginning of a walk that ended well to the next.
    private static let interval: Duration = .seconds(1)
    /// From the beginning of a walk that has not ended, and from the end of one that failed.
    private static let patience: Duration = .milliseconds(250)
    private static let retry: Duration = .milliseconds(50)

    /// What a peer has told, and when to see whether it is here.
    private struct Told: Hashable, Sendable {
        var heads: [ReplicationMessage.StreamHead]
        var due: EngineInstant
    }

    private var told: [NodeID: Told] = [:]
    /// With whom walks are led, and since when.
    private var walks: [NodeID: EngineInstant] = [:]
    private var notBefore = EngineInstant.zero

    var count: Int { told.count }

    /// When `takeDue` has something to give.
    var nextDeadline: EngineInstant? {
        guard walks.count < Self.maxWalks, let due = told.values.lazy.map(\.due).min() else { return nil }
        return max(due, notBefore)
    }

    /// A peer tells that these streams are further there than here. What it told before is looked at first.
    mutating func note(_ heads: [ReplicationMessage.StreamHead], from teller: NodeID, due: EngineInstant) {
        guard !heads.isEmpty, told[teller] == nil, told.count < Self.maxTellers else { return }
        told[teller] = Told(heads: heads, due: due)
    }

    /// What has been told of long enough, in the order of the tellers.
    mutating func takeDue(at now: EngineInstant) -> [(teller: NodeID, heads: [ReplicationMessage.StreamHead])] {
        guard let next = nextDeadline, next <= now else { return [] }
        let due = told.filter { $0.value.due <= now }.sorted { $0.key < $1.key }
        for (teller, _) in due { told[teller] = nil }
        return due.map { ($0.key, $0.value.heads) }
    }

    /// A walk with a teller begins. The others wait for a while, since it may bring what they have told of.
    mutating func walkBegan(
        with teller: NodeID, others: [(teller: NodeID, heads: [ReplicationMessage.StreamHead])], at now: EngineInstant
    ) {
        walks[teller] = now
        notBefore = now + Self.patience
        for other in others { note(other.heads, from: other.teller, due: now) }
    }

    /// A walk is over.
    mutating func walkEnded(with node: NodeID, isDone: Bool, at now: EngineInstant) {
        guard let began = walks.removeValue(forKey: node) else { return }
        if isDone {
            told = [:]
            notBefore = max(notBefore, began + Self.interval)
        } else {
            notBefore = min(notBefore, now + Self.retry)
        }
    }
}
