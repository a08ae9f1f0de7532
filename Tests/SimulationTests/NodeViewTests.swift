import Replication
@testable import Simulation
import Testing
import Transport

/// The judge of what one node shows: less than before is noticed, and nothing else.
@Suite("What a node has shown")
struct NodeViewTests {
    private func stamp(_ time: Int64, _ origin: UInt64 = 1) -> Stamp {
        Stamp(time: HybridTime(milliseconds: time), origin: NodeID(origin))
    }

    private func created(_ time: Int64, text: String = "a") -> Row {
        .created(key: "k", text: ByteString(text), atMilliseconds: time, stamp: stamp(time))
    }

    private func sample(_ seconds: Int, _ rows: Row...) -> NodeView.Sample {
        var replica = MemoryReplica(nodeID: NodeID(1))
        _ = replica.merge(rows.map { EncodedRow($0) }, at: WallReading(milliseconds: .max))
        return NodeView.Sample(at: .zero + .seconds(seconds), rows: replica.rows, summary: replica.summary)
    }

    @Test("later writes, deletes and creates after deletes are no faults")
    func forward() {
        var view = NodeView()
        #expect(view.show("k", nil) == nil)
        #expect(view.show("k", EncodedRow(created(1))) == nil)
        #expect(view.show("k", EncodedRow(created(1).deleted(at: stamp(2)))) == nil)
        #expect(view.showAll(sample(1, created(1).deleted(at: stamp(2)))).isEmpty)
        #expect(view.showAll(sample(2, created(3, text: "b"))).isEmpty)
    }

    @Test("a row that is gone, back, or older is a fault of its kind, when read and when listed")
    func backward() {
        let deleted = created(1).deleted(at: stamp(5))
        let cases: [(Row, Row?, NodeView.Fault)] = [
            (created(1), nil, .isGone), (deleted, created(1), .isBack), (deleted, nil, .isGone),
            (created(4), created(1), .isOlder), (created(4), created(4).deleted(at: stamp(3)), .isOlder),
        ]
        for (before, after, fault) in cases {
            var read = NodeView()
            #expect(read.show("k", EncodedRow(before)) == nil)
            #expect(read.show("k", after.map { EncodedRow($0) }) == fault)
            var listed = NodeView()
            #expect(listed.showAll(sample(1, before)).isEmpty)
            #expect(listed.showAll(after.map { sample(2, $0) } ?? sample(2)).map(\.fault) == [fault])
        }
    }

    @Test("what clients were told since the last list counts")
    func told() {
        var view = NodeView()
        #expect(view.showAll(sample(1, created(1))).isEmpty)
        #expect(view.show("k", EncodedRow(created(4))) == nil)
        #expect(view.showAll(sample(2, created(1))).map(\.fault) == [.isOlder])
    }

    @Test("the last list from before an instant is kept")
    func samples() {
        var view = NodeView()
        #expect(view.sample(before: .zero + .seconds(9)) == nil)
        for second in 1...3 { _ = view.showAll(sample(second, created(Int64(second)))) }
        #expect(view.sample(before: .zero)?.at == nil)
        #expect(view.sample(before: .zero + .milliseconds(2_500))?.at == .zero + .seconds(2))
        #expect(view.sample(before: .zero + .seconds(9))?.at == .zero + .seconds(3))
    }
}
