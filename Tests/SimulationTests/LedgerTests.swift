import Replication
@testable import Simulation
import Testing
import Transport

/// The judge of all other simulations: each kind of fault is noticed, and what is allowed is not called a fault.
@Suite("Ledger")
struct LedgerTests {
    private let writer = NodeID(1)

    private func stamp(_ time: UInt64, _ origin: UInt64 = 1) -> Stamp {
        Stamp(time: HybridTime(milliseconds: Int64(time)), origin: NodeID(origin))
    }

    private func created(_ time: UInt64, text: String = "a") -> Row {
        .created(key: "k", text: ByteString(text), atMilliseconds: Int64(time), stamp: stamp(time))
    }

    private func replica(_ rows: Row...) -> MemoryReplica {
        var replica = MemoryReplica(nodeID: writer)
        _ = replica.merge(rows.map { EncodedRow($0) }, at: WallReading(milliseconds: .max))
        return replica
    }

    private func faults(_ ledger: Ledger, _ replica: MemoryReplica) -> [Violation.Checker] {
        ledger.faults(of: replica).map(\.checker)
    }

    @Test("what is there, or superseded by a later write, is no fault")
    func allowed() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: true)
        #expect(faults(ledger, replica(created(1))).isEmpty)
        var edited = created(1)
        edited.text = Register("later", stamp(5, 2))
        ledger.committed(edited, isAcknowledged: true)
        #expect(faults(ledger, replica(edited)).isEmpty)
        let deleted = edited.deleted(at: stamp(9))
        ledger.committed(deleted, isAcknowledged: true)
        #expect(faults(ledger, replica(deleted)).isEmpty)
        // Committed, but nobody was told: it may be there or not.
        ledger.committed(created(11), isAcknowledged: false)
        #expect(faults(ledger, replica(deleted)).isEmpty)
        #expect(faults(ledger, replica(created(11))).isEmpty)
    }

    @Test("an acknowledged create, edit or tick that is not there is a lost write")
    func lost() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: true)
        #expect(faults(ledger, replica()) == [.lostWrite])
        var edited = created(1)
        edited.text = Register("later", stamp(5))
        ledger.committed(edited, isAcknowledged: true)
        #expect(faults(ledger, replica(created(1))) == [.lostWrite])
        var ticked = edited
        ticked.completed = Register(true, stamp(6))
        ledger.committed(ticked, isAcknowledged: true)
        #expect(faults(ledger, replica(edited)) == [.lostWrite])
        #expect(faults(ledger, replica(ticked)).isEmpty)
        // Later than the delete: it must still be kept.
        let deleted = ticked.deleted(at: stamp(7))
        var late = deleted
        late.text = Register("after", stamp(8, 2))
        ledger.committed(deleted, isAcknowledged: true)
        ledger.committed(late, isAcknowledged: true)
        #expect(faults(ledger, replica(deleted)) == [.lostWrite])
    }

    @Test("a todo that is there although its delete was acknowledged is back from the dead")
    func resurrected() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: true)
        ledger.committed(created(1).deleted(at: stamp(2)), isAcknowledged: true)
        #expect(faults(ledger, replica(created(1))) == [.resurrection])
        ledger.committed(created(3), isAcknowledged: true)
        #expect(faults(ledger, replica(created(3))).isEmpty)
    }

    @Test("what nobody wrote, in the key, the value or the stamp, is invented")
    func invented() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: true)
        #expect(faults(ledger, replica(created(1, text: "b"))) == [.inventedWrite])
        var ticked = created(1)
        ticked.completed = Register(true, stamp(4))
        #expect(faults(ledger, replica(ticked)) == [.inventedWrite])
        let other = Row.created(key: "other", text: "a", atMilliseconds: 1, stamp: stamp(1))
        #expect(faults(ledger, replica(created(1), other)) == [.inventedWrite])
    }

    @Test("what only a lost database had may be gone; what others have may not")
    func exempt() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: true)
        var kept = ledger
        kept.exempt(replica(created(1)), survivors: [replica(created(1))])
        #expect(kept.exemptedCount == 0 && faults(kept, replica()) == [.lostWrite])
        ledger.exempt(replica(), survivors: [replica()])
        #expect(ledger.exemptedCount == 0, "it was lost before")
        ledger.exempt(replica(created(1)), survivors: [replica()])
        #expect(ledger.exemptedCount == 3 && faults(ledger, replica()).isEmpty)
    }

    private func span(_ asked: Int, _ answered: Int, isTimely: Bool = true) -> Ledger.Span {
        Ledger.Span(
            askedAt: .zero + .seconds(asked), answeredAt: .zero + .seconds(answered), isTimely: isTimely)
    }

    @Test("of writes that are far apart the later must be the later one by its stamp too, where all clocks were right")
    func disorder() {
        for (asked, isTimely, isFault) in [(22, true, true), (20, true, false), (22, false, false)] {
            var ledger = Ledger()
            ledger.committed(created(100), span(0, 1), isAcknowledged: true)
            // Asked for later, stamped earlier.
            ledger.committed(created(50), span(asked, asked + 1, isTimely: isTimely), isAcknowledged: true)
            #expect(ledger.disorders.isEmpty == !isFault)
        }
        var ledger = Ledger()
        ledger.committed(created(50), span(0, 1), isAcknowledged: true)
        ledger.committed(created(100), span(60, 61), isAcknowledged: true)
        #expect(ledger.disorders.isEmpty)
    }

    @Test("a row is lacking where an acknowledged write of it is neither there nor superseded")
    func lacking() {
        var ledger = Ledger()
        ledger.committed(created(1), isAcknowledged: false)
        #expect(!ledger.isLacking(created(1), in: nil))
        var edited = created(1)
        edited.text = Register("later", stamp(5))
        ledger.committed(edited, isAcknowledged: true)
        #expect(ledger.isLacking(edited, in: nil) && ledger.isLacking(edited, in: created(1)))
        var later = created(1)
        later.text = Register("latest", stamp(6))
        let ended = created(1).deleted(at: stamp(6))
        for held in [edited, later, ended] { #expect(!ledger.isLacking(edited, in: held)) }
        // The tick was told to nobody.
        var ticked = edited
        ticked.completed = Register(true, stamp(7))
        ledger.committed(ticked, isAcknowledged: false)
        #expect(!ledger.isLacking(ticked, in: edited))
    }
}

extension Ledger {
    fileprivate mutating func committed(_ row: Row, isAcknowledged: Bool) {
        committed(row, Span(askedAt: .zero, answeredAt: .zero, isTimely: true), isAcknowledged: isAcknowledged)
    }
}
