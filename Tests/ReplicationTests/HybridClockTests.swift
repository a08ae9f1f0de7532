@testable import Replication
import Testing
import TestSupport

@Suite("Hybrid clock")
struct HybridClockTests {
    @Test("never goes back, whatever the wall clock does")
    func monotonic() {
        var clock = HybridClock(bound: .zero)
        var last = HybridTime.zero
        for wall in [1_000, 1_000, 999, -5, 86_400_000, 0, 86_399_999, .max, 5] as [Int64] {
            let time = clock.next(reading(wall))
            #expect(time > last)
            last = time
        }
    }

    @Test("a full counter carries into the milliseconds")
    func counterCarries() {
        var clock = HybridClock(bound: .zero)
        _ = clock.next(reading(7))
        for _ in 0..<UInt16.max { _ = clock.next(reading(7)) }
        #expect(clock.latest == HybridTime(milliseconds: 7, counter: .max))
        #expect(clock.next(reading(7)) == HybridTime(milliseconds: 8))
    }

    @Test("what is issued after an observation is later than it")
    func observes() {
        var clock = HybridClock(bound: .zero)
        clock.observe(HybridTime(milliseconds: 500, counter: 3), at: reading(10))
        #expect(clock.next(reading(10)) == HybridTime(milliseconds: 500, counter: 4))
    }

    @Test("a restart from the durable bound continues after everything issued")
    func restart() {
        var clock = HybridClock(bound: .zero)
        var durable = HybridTime.zero
        var last = HybridTime.zero
        for wall in stride(from: 1_000 as Int64, to: 10_000, by: 300) {
            last = clock.next(reading(wall))
            if let bound = clock.reserve() { durable = bound }
            #expect(last <= durable)
        }
        var restarted = HybridClock(bound: durable)
        #expect(restarted.next(reading(0)) > last)
    }

    @Test("twenty crashes within a second, each after a write, leave the clock within the skew that others accept")
    func crashLoop() {
        var durable = HybridTime.zero
        let wall: Int64 = 1_700_000_000_000
        for crash in 0..<20 {
            var clock = HybridClock(bound: durable)
            let time = clock.next(reading(wall + Int64(crash) * 40))
            #expect(time > durable)
            if let bound = clock.reserve() { durable = bound }
            #expect(durable.milliseconds - wall < 2_000)
        }
    }

    @Test("the bound is moved once a second, not at each write")
    func reservesSeldom() {
        var clock = HybridClock(bound: .zero)
        var writes = 0
        for wall in 5_000..<(15_000 as Int64) {
            _ = clock.next(reading(wall))
            if clock.reserve() != nil { writes += 1 }
        }
        #expect((8...11).contains(writes))
    }

    @Test("a time that is ahead of the wall is not followed, but by a write to the same row")
    func ahead() {
        var clock = HybridClock(bound: .zero)
        let far = HybridTime(milliseconds: 3_600_000, counter: 7)
        clock.observe(far, at: reading(1_000))
        #expect(clock.next(reading(1_000)) == HybridTime(milliseconds: 1_000))
        #expect(clock.next(reading(1_000), after: far) == HybridTime(milliseconds: 3_600_001, counter: 1_000))
        #expect(clock.next(reading(1_000)) < HybridTime(milliseconds: 1_001))
        // The counter of the last millisecond there is.
        let last = HybridTime(rawValue: .max)
        #expect(clock.next(reading(1_000), after: last) == last)
    }

    @Test("a clock that was led ahead goes back when others confirm the wall time, and not before; so does its bound")
    func goesBack() {
        var clock = HybridClock(bound: .zero)
        _ = clock.next(reading(3_600_000))
        _ = clock.reserve()
        #expect(clock.next(reading(1_000)) > HybridTime(milliseconds: 3_600_000))
        let confirmed = WallReading(milliseconds: 2_000, isConfirmed: true)
        #expect(clock.next(confirmed) == HybridTime(milliseconds: 2_000))
        #expect(clock.reserve().map { $0.milliseconds < 4_000 } == true)
        // What is ahead by what is usual stays.
        clock.observe(HybridTime(milliseconds: 4_000), at: confirmed)
        #expect(clock.next(confirmed) > HybridTime(milliseconds: 4_000))
    }
}
