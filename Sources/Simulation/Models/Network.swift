internal import Transport

/// Who can reach whom, and since when. Both directions of a pair are separate.
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

    /// One direction of a path.
    private struct Path: Sendable {
        /// How many cuts lie on it.
        var cuts = 0
        /// When the last of them ended.
        var mendedAt: EngineInstant?
    }

    /// How long a connection lives without anything passing: what ZMTP's heartbeats allow.
    static let heartbeatTimeout: Duration = .seconds(7)
    /// Frames that wait for one connection; beyond it the newest are lost, as at libzmq's mark.
    static let maxHeld = 200

    private let count: Int
    /// By place.
    private var paths: [Path]
    private var cutCount = 0
    private var lastMend: EngineInstant?
    var connections: [Connection]

    init(count: Int, hasConnections: Bool) {
        self.count = count
        paths = Array(repeating: Path(), count: count * count)
        connections = hasConnections ? Array(repeating: Connection(), count: count * count) : []
    }

    func passes(_ from: Int, _ to: Int) -> Bool { from == to || paths[place(from, to)].cuts == 0 }

    /// Both ways, as a connection needs.
    func connects(_ from: Int, _ to: Int) -> Bool { passes(from, to) && passes(to, from) }

    /// Whether nothing has come between the two since `instant`, either way.
    func hasConnected(_ first: Int, _ second: Int, since instant: EngineInstant) -> Bool {
        hasPassed(first, second, since: instant) && hasPassed(second, first, since: instant)
    }

    private func hasPassed(_ from: Int, _ to: Int, since instant: EngineInstant) -> Bool {
        let path = paths[place(from, to)]
        return path.cuts == 0 && (path.mendedAt.map { $0 <= instant } ?? true)
    }

    /// Whether nothing has come between any two since `instant`.
    func hasBeenWhole(since instant: EngineInstant) -> Bool {
        cutCount == 0 && (lastMend.map { $0 <= instant } ?? true)
    }

    mutating func cut(_ from: Int, _ to: Int) {
        paths[place(from, to)].cuts += 1
        cutCount += 1
    }

    mutating func mend(_ from: Int, _ to: Int, at now: EngineInstant) {
        let place = place(from, to)
        guard paths[place].cuts > 0 else { return }
        paths[place].cuts -= 1
        cutCount -= 1
        lastMend = now
        if paths[place].cuts == 0 { paths[place].mendedAt = now }
    }

    mutating func mendAll(at now: EngineInstant) {
        guard cutCount > 0 else { return }
        (cutCount, lastMend) = (0, now)
        for place in paths.indices where paths[place].cuts > 0 { paths[place] = Path(cuts: 0, mendedAt: now) }
    }

    func place(_ from: Int, _ to: Int) -> Int { from * count + to }
}
