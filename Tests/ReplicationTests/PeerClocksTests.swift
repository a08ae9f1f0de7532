import Testing
import Transport

@testable import Replication

@Suite("Clocks of peers")
struct PeerClocksTests {
    private static let wall: Int64 = 1_700_000_000_000
    private let skew = WallReading.allowedSkewMilliseconds

    /// This node's clock is right; the others are off by so many milliseconds, heard at `at`.
    private func clocks(_ offsets: [Int64], at now: EngineInstant = .zero) -> PeerClocks {
        var clocks = PeerClocks()
        for (index, offset) in offsets.enumerated() {
            clocks.note(NodeID(UInt64(index + 2)), UInt64(clamping: Self.wall + offset), at: now)
        }
        return clocks
    }

    private func judge(_ offsets: [Int64], own: Int64 = 0) -> (hold: ClockHold, state: ClockState) {
        clocks(offsets).judge(wallMilliseconds: Self.wall + own, at: .zero) { _ in true }
    }

    @Test("alone nothing is held")
    func alone() {
        let (hold, state) = judge([])
        #expect(hold == .none && state == .alone)
        let reading = hold.reading(5, at: .zero)
        #expect(reading == WallReading(milliseconds: 5))
    }

    @Test("two clocks that agree confirm each other; of two that do not the earlier is followed, and nobody is right")
    func two() {
        #expect(judge([1_500]).state == .right)
        #expect(judge([1_500]).hold.isConfirmed)
        for (offset, own) in [(3_600_000, 0), (0, 3_600_000)] as [(Int64, Int64)] {
            let (hold, state) = judge([offset], own: own)
            #expect(state == .unknown(differenceMilliseconds: offset - own))
            #expect(hold == ClockHold(earliest: nil, latest: Self.wall + skew, isConfirmed: false))
        }
    }

    @Test("the one of three that is wrong is held to the others, and knows by how much", arguments: [-1, 1] as [Int64])
    func three(sign: Int64) {
        let error = sign * 7_200_000
        let (hold, state) = judge([0, 300], own: error)
        #expect(state == .wrong(byMilliseconds: error - (sign < 0 ? 0 : 300)))
        let held = hold.reading(Self.wall + error, at: .zero)
        #expect(held.isConfirmed && abs(held.milliseconds - Self.wall) <= skew + 300)
        // The two see that it is not they.
        #expect(judge([0, error]).state == .right)
    }

    @Test("where no majority agrees nothing is confirmed, and stamps follow the earlier half")
    func split() {
        let (hold, state) = judge([0, 3_600_000, 3_600_000])
        #expect(state == .unknown(differenceMilliseconds: 3_600_000))
        #expect(hold == ClockHold(earliest: nil, latest: Self.wall + skew))
        #expect(judge([-9_000_000, 50_000, 3_600_000]).hold.isConfirmed == false)
    }

    @Test("the hold goes on with the engines' time, whatever the wall clock does")
    func goesOn() {
        let (hold, _) = judge([0, 0])
        let later = EngineInstant.zero + .seconds(100)
        #expect(hold.reading(Self.wall + 100_000, at: later).milliseconds == Self.wall + 100_000)
        #expect(hold.reading(Self.wall + 86_400_000, at: later).milliseconds == Self.wall + 100_000 + skew)
        #expect(hold.reading(0, at: later).milliseconds == Self.wall + 100_000 - skew)
    }

    @Test("a message that waited does not make a clock slow, and a clock that was set back shows after a few")
    func waited() {
        var clocks = clocks([0, 0])
        let later = EngineInstant.zero + .seconds(60)
        for _ in 0..<3 { clocks.note(NodeID(2), UInt64(Self.wall), at: later) }
        #expect(clocks.offset(of: NodeID(2), wallMilliseconds: Self.wall + 60_000, at: later) == 0)
        clocks.note(NodeID(2), UInt64(Self.wall), at: later)
        #expect(clocks.offset(of: NodeID(2), wallMilliseconds: Self.wall + 60_000, at: later) == -60_000)
    }

    @Test("what was heard an hour ago counts no more, and nonsense never does")
    func old() {
        let clocks = clocks([9_000_000, 9_000_000])
        let later = EngineInstant.zero + .seconds(3_601)
        #expect(clocks.judge(wallMilliseconds: Self.wall, at: later, isHere: { _ in true }).state == .alone)
        var odd = PeerClocks()
        odd.note(NodeID(2), .max, at: .zero)
        odd.note(NodeID(3), UInt64(HybridTime.maxMilliseconds) + 1, at: .zero)
        #expect(odd.count == 0)
        odd.note(NodeID(3), 0, at: .zero)
        _ = odd.judge(wallMilliseconds: .min, at: EngineInstant(nanoseconds: .max)) { _ in true }
        _ = odd.judge(wallMilliseconds: .max, at: .zero) { _ in true }
    }

    @Test("the clocks of many are bounded, and the newest replace those that are old")
    func bounded() {
        var clocks = PeerClocks()
        for node in 0..<UInt64(PeerClocks.limit + 10) { clocks.note(NodeID(node), 1, at: .zero) }
        #expect(clocks.count == PeerClocks.limit)
        clocks.note(NodeID(.max), 1, at: .zero + .seconds(3_601))
        #expect(clocks.count == 1)
    }

    @Test("who has gone has a say only where those who are here do not agree")
    func gone() {
        // Node 4 is here with a wrong clock, and was here as 5 and 6 before.
        let many = clocks([0, 100, 3_600_000, 3_600_000, 3_600_000])
        #expect(many.judge(wallMilliseconds: Self.wall, at: .zero) { $0.rawValue <= 4 }.state == .right)
        // Node 3 has gone; it was right.
        let two = clocks([3_600_000, 0])
        #expect(two.judge(wallMilliseconds: Self.wall, at: .zero) { $0.rawValue == 2 }.state == .right)
    }

    @Test("what people see is the own time until others confirm another")
    func shown() {
        let unconfirmed = judge([-9_000_000]).hold.reading(Self.wall, at: .zero)
        #expect(unconfirmed.milliseconds < Self.wall && unconfirmed.shownMilliseconds == Self.wall)
        let confirmed = judge([0, 0], own: 9_000_000).hold.reading(Self.wall + 9_000_000, at: .zero)
        #expect(confirmed.shownMilliseconds == confirmed.milliseconds)
    }
}
