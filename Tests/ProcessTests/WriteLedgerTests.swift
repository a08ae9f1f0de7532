import Foundation
import Testing

/// The judge of the fault scenes must see what is wrong, or the scenes prove nothing.
@Suite("Ledger of writes")
struct WriteLedgerTests {
    private var ledger = WriteLedger()
    private let start = ContinuousClock.now

    @Test("an owned key has to show its last acknowledged write")
    mutating func acknowledged() {
        ledger.note(.acknowledged, of: .create("one"), toOwned: "k")
        ledger.note(.acknowledged, of: .update(text: nil, isCompleted: true), toOwned: "k")
        ledger.note(.refused, of: .update(text: "two", isCompleted: nil), toOwned: "k")
        #expect(ledger.faults(in: [todo("k", "one", isCompleted: true)]) == [])
        #expect(ledger.faults(in: [todo("k", "one")]).count == 1, "older")
        #expect(ledger.faults(in: [todo("k", "two", isCompleted: true)]).count == 1, "refused, but there")
        #expect(ledger.faults(in: []).count == 1, "lost")
    }

    @Test("a key whose delete was acknowledged must not come back")
    mutating func deleted() {
        ledger.note(.acknowledged, of: .create("one"), toOwned: "k")
        ledger.note(.acknowledged, of: .delete, toOwned: "k")
        #expect(ledger.faults(in: []) == [])
        #expect(ledger.faults(in: [todo("k", "one")]).count == 1)
    }

    @Test("after a write without an answer a key shows that or what it was before")
    mutating func unknown() {
        ledger.note(.acknowledged, of: .create("one"), toOwned: "k")
        ledger.note(.unknown, of: .update(text: "two", isCompleted: nil), toOwned: "k")
        ledger.note(.unknown, of: .create("x"), toOwned: "new")
        for text in ["one", "two"] { #expect(ledger.faults(in: [todo("k", text)]) == []) }
        #expect(ledger.faults(in: [todo("k", "one"), todo("new", "x")]) == [])
        #expect(ledger.faults(in: []).count == 1)
    }

    @Test("what nobody wrote is told, and so is what no node may answer")
    mutating func invented() {
        #expect(ledger.faults(in: [todo("k", "one")]).count == 1)
        ledger.contradict("404 for what is there")
        #expect(ledger.faults(in: []) == ["404 for what is there"])
    }

    @Test("a shared key shows what somebody wrote, and nobody who was clearly earlier than another")
    mutating func shared() {
        note(.acknowledged, .create("first"), from: 0, to: 1)
        note(.acknowledged, .update(text: "second", isCompleted: nil), from: 9, to: 10)
        note(.unknown, .update(text: "third", isCompleted: nil), from: 2, to: 3)
        #expect(ledger.faults(in: [todo("s", "second")]) == [])
        #expect(ledger.faults(in: [todo("s", "third")]) == [], "nobody knows when")
        #expect(ledger.faults(in: [todo("s", "first")]).count == 1)
        #expect(ledger.faults(in: [todo("s", "fourth")]).count == 1)
        #expect(ledger.faults(in: [todo("s", "second", isCompleted: true)]).count == 1)
        #expect(ledger.faults(in: []).count == 1, "nobody deleted it")
        note(.unknown, .delete, from: 0, to: 1)
        #expect(ledger.faults(in: []) == [])
    }

    private mutating func note(
        _ outcome: WriteLedger.Outcome, _ write: WriteLedger.Write, from begin: Int, to end: Int
    ) {
        ledger.note(
            outcome, of: write, toShared: "s", begin: start + .seconds(begin), end: start + .seconds(end))
    }

    private func todo(_ key: String, _ text: String, isCompleted: Bool = false) -> Todo {
        Todo(id: 1, extern_id: key, todo: text, completed: isCompleted, created_at: "2026-01-01T00:00:00.000Z")
    }
}
