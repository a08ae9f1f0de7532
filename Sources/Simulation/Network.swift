internal import Transport

/// Who can reach whom, and how long it takes. Both directions of a pair are separate.
struct Network: Sendable {
    /// One direction of a connection of a transport that has connections.
    struct Connection: Sendable {
        enum State { case down, up }
        var state = State.down
        /// When it is up; while down, when it may be tried again.
        var changesAt = EngineInstant.zero
        /// Nothing overtakes on it.
        var lastArrival = EngineInstant.zero
        /// Since when nothing has passed although it is up.
        var cutSince: EngineInstant?
        /// What waits for the path to come back.
        var held: [[UInt8]] = []
    }

    /// How long a connection lives without anything passing: what ZMTP's heartbeats allow.
    static let heartbeatTimeout: Duration = .seconds(7)
    /// Frames that wait for one connection; beyond it the newest are lost, as at libzmq's mark.
    static let maxHeld = 200

    private let count: Int
    /// How many cuts lie on each direction: [from * count + to].
    private var cuts: [Int]
    var connections: [Connection]

    init(count: Int, hasConnections: Bool) {
        self.count = count
        cuts = Array(repeating: 0, count: count * count)
        connections = hasConnections ? Array(repeating: Connection(), count: count * count) : []
    }

    func passes(_ from: Int, _ to: Int) -> Bool { from == to || cuts[from * count + to] == 0 }

    /// Both ways, as a connection needs.
    func connects(_ from: Int, _ to: Int) -> Bool { passes(from, to) && passes(to, from) }

    mutating func cut(_ from: Int, _ to: Int) { cuts[from * count + to] += 1 }

    mutating func mend(_ from: Int, _ to: Int) { cuts[from * count + to] = max(0, cuts[from * count + to] - 1) }

    mutating func mendAll() { cuts = Array(repeating: 0, count: count * count) }

    func place(_ from: Int, _ to: Int) -> Int { from * count + to }
}
