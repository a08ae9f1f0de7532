import Testing
import TransportKit

@Suite("Timers")
struct TimersTests {
    @Test("Keys come out in the order of their deadlines, once they have passed")
    func order() {
        var timers = Timers<String>()
        let start = ContinuousClock.now
        #expect(timers.earliest() == nil)
        timers.set("b", at: start + .seconds(2))
        timers.set("a", at: start + .seconds(1))
        timers.set("c", at: start + .seconds(3))
        #expect(timers.earliest() == start + .seconds(1))
        #expect(timers.popDue(at: start) == nil)
        #expect(timers.popDue(at: start + .seconds(2)) == "a")
        #expect(timers.popDue(at: start + .seconds(2)) == "b")
        #expect(timers.popDue(at: start + .seconds(2)) == nil)
        #expect(timers.count == 1)
    }

    @Test("The last deadline of a key counts, and none that was cancelled; many changes keep little")
    func replacing() {
        var timers = Timers<Int>()
        let start = ContinuousClock.now
        for step in 0..<10_000 { timers.set(1, at: start + .milliseconds(step)) }
        #expect(timers.count == 1)
        #expect(timers.earliest() == start + .milliseconds(9_999))
        timers.set(2, at: start)
        timers.cancel(2)
        #expect(timers.popDue(at: start + .seconds(60)) == 1)
        #expect(timers.popDue(at: start + .seconds(60)) == nil)
    }
}
