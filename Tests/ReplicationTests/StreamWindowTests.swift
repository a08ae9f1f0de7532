@testable import Replication
import Testing
import TestSupport
import Transport

@Suite("Stream window")
struct StreamWindowTests {
    @Test("in order: no gap, and every duplicate is seen")
    func inOrder() {
        var window = StreamWindow(head: 0)
        for sequence in 1...1_000 as ClosedRange<UInt64> {
            #expect(window.insert(sequence) == true)
            #expect(window.insert(sequence) == false)
            #expect(!window.hasGap)
        }
    }

    @Test("any order of arrival ends without a gap")
    func anyOrder() {
        var generator = SeededGenerator(seed: 5)
        var window = StreamWindow(head: 10)
        let sequences = (11...500 as ClosedRange<UInt64>).shuffled(using: &generator)
        for sequence in sequences { #expect(window.insert(sequence) == true) }
        #expect(window.head == 500)
        #expect(!window.hasGap)
    }

    @Test("a hole shows, by arrivals and by the sender's word, and a walk closes it")
    func hole() {
        var window = StreamWindow(head: 0)
        _ = window.insert(1)
        _ = window.insert(3)
        #expect(window.hasGap)
        window.noteEnd(7)
        window.repaired(upTo: 7, lossCount: 0)
        #expect(!window.hasGap)
        #expect(window.head == 7)
    }

    @Test("a hole that stays is given up with the window damaged, and memory stays bounded")
    func bounded() {
        var window = StreamWindow(head: 0)
        for sequence in 2...UInt64(StreamWindow.maxPending + 2) { _ = window.insert(sequence) }
        #expect(window.isDamaged)
        #expect(window.head == UInt64(StreamWindow.maxPending + 2))
        window.repaired(upTo: 0, lossCount: 1)
        #expect(!window.hasGap)
    }

    @Test("the ends of the number range do no harm")
    func extremes() {
        var window = StreamWindow(head: .max - 1)
        #expect(window.insert(.max) == true)
        #expect(window.insert(.max) == false)
        var far = StreamWindow(head: 0)
        _ = far.insert(.max)
        #expect(far.hasGap)
    }
}
