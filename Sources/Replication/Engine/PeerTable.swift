internal import Transport

/// What the engine knows of one peer beside its stream.
struct PeerState: Hashable, Sendable {
    var report = PeerReport()
    var plan = WalkPlan()
    var standing = PeerStanding()
}

/// The peers, and per peer its state, its next timer and the walk that this node leads with it.
///
/// A state and a timer go with the membership. A walk does not: it ends by itself, and counts until then.
struct PeerTable: Sendable {
    /// Sorted by node id, each id once; all of them speak `versions.spoken`.
    private(set) var peers: [ReplicationPeer] = []
    /// What is spoken with them.
    var versions = PeerVersions()
    /// Nobody was heard of who may still turn out to be a peer.
    private(set) var areComplete = true
    /// Since when there has been a peer.
    private(set) var since: EngineInstant?
    private var entries: [NodeID: Entry] = [:]
    /// Peers with a timer: few of many have one.
    private var timers: [NodeID: EngineInstant] = [:]
    private(set) var walkCount = 0
    /// Peers with an obstacle, as of the last look.
    private(set) var obstructedCount = 0

    private struct Entry: Sendable {
        var state = PeerState()
        var walk: WalkUnderWay?
    }

    /// What `replace` changed.
    struct Change {
        /// Peers that have the id of this node or of another peer: a database was copied. They are left out.
        var copies: [ReplicationPeer] = []
        /// Peers that do not speak the version that is spoken, and had not been noted before. They are left out.
        var leftOut: [ReplicationPeer] = []
        var gone: Set<NodeID> = []
        /// In order.
        var newcomers: [NodeID] = []
    }

    var count: Int { peers.count }
    var isEmpty: Bool { peers.isEmpty }
    var stateCount: Int { entries.count }
    var timerCount: Int { timers.count }

    subscript(node: NodeID) -> ReplicationPeer? {
        var low = 0
        var high = peers.count
        while low < high {
            let middle = (low + high) / 2
            if peers[middle].nodeID < node { low = middle + 1 } else { high = middle }
        }
        return low < peers.count && peers[low].nodeID == node ? peers[low] : nil
    }

    func has(_ node: NodeID) -> Bool { self[node] != nil }

    /// The peers of now, `own` not among them.
    mutating func replace(
        with newPeers: [ReplicationPeer], own: NodeID, areComplete: Bool, at now: EngineInstant
    ) -> Change {
        var change = Change()
        let known = Set(peers.map(\.nodeID))
        var originals: [ReplicationPeer] = []
        for peer in newPeers.sorted(by: { ($0.nodeID, $0.address) < ($1.nodeID, $1.address) }) {
            // Their stamps and streams cannot be told apart.
            if peer.nodeID == own || peer.nodeID == originals.last?.nodeID {
                change.copies.append(peer)
            } else {
                originals.append(peer)
            }
        }
        (peers, change.leftOut) = versions.choose(among: originals)
        self.areComplete = areComplete
        since = peers.isEmpty ? nil : since ?? now
        let current = Set(peers.map(\.nodeID))
        change.gone = known.subtracting(current)
        for node in change.gone { forget(node) }
        if !change.gone.isEmpty { countObstructed() }
        change.newcomers = current.subtracting(known).sorted()
        return change
    }

    mutating func countObstructed() { obstructedCount = peers.count { state($0.nodeID).standing.obstacle != nil } }

    private mutating func forget(_ node: NodeID) {
        timers[node] = nil
        if let walk = entries[node]?.walk { entries[node] = Entry(walk: walk) } else { entries[node] = nil }
    }

    // MARK: States

    /// As it is at the beginning for whoever nothing is known of.
    func state(_ node: NodeID) -> PeerState { entries[node]?.state ?? PeerState() }

    /// Changes the state of a peer; of nobody else is anything kept.
    @discardableResult
    mutating func update<Result>(_ node: NodeID, _ body: (inout PeerState) -> Result) -> Result? {
        guard has(node) else { return nil }
        return body(&entries[node, default: Entry()].state)
    }

    // MARK: Timers

    /// When the first timer runs out.
    var earliestTimer: EngineInstant? { timers.values.min() }

    func hasTimer(_ node: NodeID) -> Bool { timers[node] != nil }

    /// Wakes the engine for this peer at `instant`, or earlier if that was planned.
    mutating func setTimer(_ node: NodeID, at instant: EngineInstant) {
        guard has(node) else { return }
        timers[node] = min(timers[node] ?? instant, instant)
    }

    /// The peers whose timers have run out, in order, and without a timer from now on.
    mutating func takeTimers(at now: EngineInstant) -> [NodeID] {
        let due = timers.filter { $0.value <= now }.keys.sorted()
        for node in due { timers[node] = nil }
        return due
    }

    // MARK: Walks

    func isWalking(_ node: NodeID) -> Bool { entries[node]?.walk != nil }

    mutating func walkBegan(with node: NodeID, _ walk: WalkUnderWay) {
        walkCount += isWalking(node) ? 0 : 1
        entries[node, default: Entry()].walk = walk
    }

    /// The peer says what its answer covers.
    mutating func walkAccepted(by node: NodeID, _ heads: [ReplicationMessage.StreamHead]) {
        entries[node]?.walk?.heads = heads
    }

    /// The walk with this node is over; `nil` when there was none.
    mutating func walkEnded(with node: NodeID) -> WalkUnderWay? {
        guard let walk = entries[node]?.walk else { return nil }
        walkCount -= 1
        if has(node) { entries[node]?.walk = nil } else { entries[node] = nil }
        return walk
    }
}
