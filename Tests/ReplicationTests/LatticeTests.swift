import Simulation
@testable import Replication
import Testing
import TestSupport
import Transport

@Suite("A row is a lattice")
struct LatticeTests {
    @Test("merging is commutative, associative and idempotent, and keeps rows valid")
    func laws() {
        var random = RandomRows(seed: 1)
        for _ in 0..<50_000 {
            let (a, b, c) = (random.row(), random.row(), random.row())
            #expect(a.isValid && b.isValid)
            let ab = a.merged(with: b)
            #expect(ab == b.merged(with: a), "\(a) \(b)")
            #expect(ab.merged(with: c) == a.merged(with: b.merged(with: c)), "\(a) \(b) \(c)")
            #expect(a.merged(with: a) == a)
            #expect(ab.merged(with: a) == ab)
            #expect(ab.isValid)
        }
    }

    @Test("a merge never loses a register that is newer")
    func nothingNewerIsLost() {
        var random = RandomRows(seed: 2)
        for _ in 0..<50_000 {
            let (a, b) = (random.row(), random.row())
            let merged = a.merged(with: b)
            #expect(merged.presence.stamp == max(a.presence.stamp, b.presence.stamp))
            for row in [a, b] {
                if let text = row.text, !merged.isDeleted || text.stamp >= merged.presence.stamp {
                    #expect(merged.text.map { $0.stamp >= text.stamp } == true, "\(a) \(b)")
                }
                if let completed = row.completed, !merged.isDeleted || completed.stamp >= merged.presence.stamp {
                    #expect(merged.completed.map { $0.stamp >= completed.stamp } == true, "\(a) \(b)")
                }
            }
        }
    }

    /// Random histories of clients on several replicas, gossiped in any order, with losses made up for at the end.
    @Test("replicas agree after any history, whatever the order of delivery", arguments: 0..<300)
    func histories(seed: Int) {
        var random = RandomRows(seed: UInt64(seed))
        var replicas = (1...4).map { MemoryReplica(nodeID: NodeID(UInt64($0))) }
        var inFlight: [EncodedRow] = []
        for step in 0..<120 {
            let index = random.int(4)
            // Clocks that differ, stand still and jump back.
            let wall = reading(Int64(1_000 + step / 3 - random.int(40)))
            let key = ByteString("key\(random.int(5))")
            let row: EncodedRow?
            switch random.int(5) {
            case 0: row = replicas[index].create(key, text: "new \(step)", at: wall)
            case 1: row = replicas[index].update(key, text: "text \(step)", at: wall)
            case 2: row = replicas[index].update(key, completed: random.int(2) == 0, at: wall)
            case 3: row = replicas[index].delete(key, at: wall)
            default:
                row = nil
                if let arrived = inFlight.randomElement(using: &random.generator) {
                    _ = replicas[index].merge([arrived], at: wall)
                }
            }
            if let row {
                inFlight.append(row)
                #expect(replicas[index].rows[key] == row, "a write is visible where it was made")
            }
        }
        for index in replicas.indices {
            let order = inFlight.shuffled(using: &random.generator)
            _ = replicas[index].merge(order, at: reading(2_000))
        }
        for replica in replicas {
            #expect(replica.sortedRows == replicas[0].sortedRows)
            #expect(replica.summary == replicas[0].summary)
        }
    }

    @Test("a text changed here and a tick set there are both kept")
    func fieldsAreIndependent() {
        let created = Row.created(key: "k", text: "old", atMilliseconds: 1, stamp: stamp(1, 1))
        var here = created
        here.text = Register("new", stamp(2, 1))
        var there = created
        there.completed = Register(true, stamp(2, 2))
        let merged = here.merged(with: there)
        #expect(merged.text?.value == "new")
        #expect(merged.completed?.value == true)
    }

    @Test("an older edit does not bring a deleted todo back; a newer create does")
    func deletesHold() {
        let created = Row.created(key: "k", text: "a", atMilliseconds: 1, stamp: stamp(1, 1))
        let deleted = created.deleted(at: stamp(5, 1))
        var edited = created
        edited.text = Register("edit", stamp(7, 2))
        let merged = deleted.merged(with: edited)
        #expect(merged.isDeleted)
        #expect(merged.text?.value == "edit", "kept, not shown: a create may still arrive that it is newer than")
        let again = Row.created(key: "k", text: "b", atMilliseconds: 6, stamp: stamp(6, 3))
        #expect(!merged.merged(with: again).isDeleted)
        #expect(merged.merged(with: again).text?.value == "edit")
    }

    @Test("keys are compared byte for byte")
    func keysAreBytes() {
        #expect(ByteString("é") != ByteString("e\u{301}"))
        #expect(Set([ByteString("é"), ByteString("e\u{301}")]).count == 2)
    }

    private func stamp(_ milliseconds: Int64, _ origin: UInt64) -> Stamp {
        Stamp(time: HybridTime(milliseconds: milliseconds), origin: NodeID(origin))
    }
}
