internal import Transport

/// What the wall clocks of the other nodes show beside this node's, and what follows for it.
///
/// The rule. With two others or more the median of all clocks, this node's among them, stands where more than half of the
/// clocks are within the allowed skew of it: the wall time of this node is held to that far from it. Of two clocks that
/// agree the same holds. Where clocks do not agree nobody can say which is right: stamps follow the earlier ones, since a
/// stamp that is too early is followed by later ones at once and one that is too late is not, and both sides say so.
///
/// A value. Clocks are kept as what they show at the engines' zero.
struct PeerClocks: Sendable {
    /// A message that waited somewhere makes a clock look slow: of the last few readings the fastest counts.
    private static let readingCount = 4
    /// What a node has said holds for so long after its last word.
    private static let memory: Duration = .seconds(3_600)
    private static let maxNodes = 4_096

    private struct Clock: Sendable {
        var readings: [Int64] = []
        var next = 0
        var at: EngineInstant

        var value: Int64 { readings.max() ?? 0 }

        mutating func note(_ reading: Int64) {
            if readings.count < PeerClocks.readingCount {
                readings.append(reading)
            } else {
                readings[next] = reading
                next = (next + 1) % PeerClocks.readingCount
            }
        }
    }

    private var clocks: [NodeID: Clock] = [:]

    var count: Int { clocks.count }
    static var limit: Int { maxNodes }

    /// A node's wall clock showed `wallMilliseconds` a moment ago.
    mutating func note(_ node: NodeID, _ wallMilliseconds: UInt64, at now: EngineInstant) {
        // Beyond what a stamp can hold a clock shows nonsense.
        guard let wall = Int64(exactly: wallMilliseconds), wall <= HybridTime.maxMilliseconds else { return }
        if clocks[node] == nil, clocks.count >= Self.maxNodes { forgetOld(at: now) }
        guard clocks[node] != nil || clocks.count < Self.maxNodes else { return }
        clocks[node, default: Clock(at: now)].note(wall - now.wholeMilliseconds)
        clocks[node]?.at = now
    }

    /// How far the clock of a node is ahead of this node's, in milliseconds.
    func offset(of node: NodeID, wallMilliseconds: Int64, at now: EngineInstant) -> Int64? {
        clocks[node].map { $0.value - Self.epoch(wallMilliseconds, at: now) }
    }

    /// `isHere`: whether a node is a peer now. The others have a say only where those who are here do not agree: a node that
    /// comes back with another id again and again must not outvote them.
    func judge(
        wallMilliseconds: Int64, at now: EngineInstant, isHere: (NodeID) -> Bool
    ) -> (hold: ClockHold, state: ClockState) {
        let own = Self.epoch(wallMilliseconds, at: now)
        let known = clocks.filter { now - $0.value.at < Self.memory }
        let here = known.filter { isHere($0.key) }.map { $0.value.value }
        let verdict = Self.judge(own, here)
        if verdict.hold.isConfirmed || known.count == here.count { return verdict }
        let all = Self.judge(own, known.values.map { $0.value })
        return all.hold.isConfirmed ? all : verdict
    }

    private static func judge(_ own: Int64, _ others: [Int64]) -> (hold: ClockHold, state: ClockState) {
        guard !others.isEmpty else { return (.none, .alone) }
        let all = (others + [own]).sorted()
        let skew = WallReading.allowedSkewMilliseconds
        let median = all[(all.count - 1) / 2]
        let agreeing = all.count { abs($0 - median) <= skew }
        if agreeing * 2 > all.count {
            let hold = ClockHold(earliest: median - skew, latest: median + skew, isConfirmed: true)
            return (hold, abs(own - median) <= skew ? .right : .wrong(byMilliseconds: own - median))
        }
        let furthest = all.max { abs($0 - own) < abs($1 - own) } ?? own
        return (ClockHold(latest: median + skew), .unknown(differenceMilliseconds: furthest - own))
    }

    private mutating func forgetOld(at now: EngineInstant) {
        clocks = clocks.filter { now - $0.value.at < Self.memory }
    }

    /// What a clock shows at the engines' zero. The wall clock may show anything.
    private static func epoch(_ wallMilliseconds: Int64, at now: EngineInstant) -> Int64 {
        min(max(wallMilliseconds, 0), HybridTime.maxMilliseconds) - now.wholeMilliseconds
    }
}
