@testable import Replication
import Testing
import TestSupport
import Transport

@Suite("Row codec")
struct RowCodecTests {
    @Test("every row comes back as it was")
    func roundTrip() throws {
        var random = RandomRows(seed: 3)
        for _ in 0..<10_000 {
            let row = random.row(key: ["", "k", "é", "e\u{301}", "a\u{0}b"][random.int(5)])
            let bytes = RowCodec.encode(row)
            #expect(bytes.count <= 1 + row.maxBodyBytes)
            var reader = ByteReader(bytes)
            let decoded = try RowCodec.decode(from: &reader)
            #expect(decoded.row == row)
            #expect(decoded.bytes == bytes[...])
            #expect(Array(decoded.key.utf8) == Array(row.key.utf8))
            #expect(reader.isAtEnd)
        }
    }

    @Test("a create of one stamp has its bytes laid out as documented")
    func layout() {
        let stamp = Stamp(time: HybridTime(rawValue: 0x0102_0304_0506_0708), origin: NodeID(0x1112_1314_1516_1718))
        let bytes = RowCodec.encode(.created(key: "k", text: "tx", completed: true, atMilliseconds: 258, stamp: stamp))
        #expect(
            bytes == [
                1, 0b0011_1111, 0, 1, 0x6b, 1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
                0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 2, 0x74, 0x78,
            ])
    }

    @Test("a row of a kind that is not known is told from one that is broken")
    func unknownKind() {
        var bytes = RowCodec.encode(row("k"))
        for kind: UInt8 in [0, 2, 255] {
            bytes[0] = kind
            var reader = ByteReader(bytes)
            #expect(throws: RowCodec.Failure.unknownKind) { try RowCodec.decode(from: &reader) }
            let message = changes(from: 2, sequence: 1, rows: [row("a")]) + bytes
            #expect(throws: ReplicationMessage.Failure.unknownRecord) { try ReplicationMessage.decode(message[...]) }
            #expect(throws: WalkMessage.Failure.unknownRecord) { try WalkMessage.decode([1, 4] + bytes) }
        }
        var empty = ByteReader([])
        #expect(throws: RowCodec.Failure.truncated) { try RowCodec.decode(from: &empty) }
    }

    @Test("rows keep the bytes that they came with, in changes and in walks")
    func slices() throws {
        let rows = ["a", "b", "c"].map { EncodedRow(row($0)) }
        let message = changes(from: 2, sequence: 1, rows: rows.map(\.row))
        guard case .changes(let changes) = try ReplicationMessage.decode(message[...]),
            case .rows(let walked) = try WalkMessage.decode(WalkMessage.rows(rows).encoded())
        else { Issue.record("other messages"); return }
        #expect(changes.rows == rows && walked == rows)
        #expect(changes.rows.map(\.bytes.startIndex) == [26, 26 + rows[0].bytes.count, 26 + 2 * rows[0].bytes.count])
        #expect(changes.rows[1].compacted == rows[1] && changes.rows[1].compacted.bytes.startIndex == 0)
        #expect(changes.rows.map(RowHasher().digest) == rows.map(RowHasher().digest))
    }

    @Test("keys and texts at their bounds pass, one byte more is refused")
    func bounds() throws {
        let stamp = Stamp(time: HybridTime(milliseconds: 1), origin: NodeID(1))
        func encoded(_ keyBytes: Int, _ textBytes: Int) -> [UInt8] {
            RowCodec.encode(
                .created(
                    key: ByteString(String(repeating: "k", count: keyBytes)),
                    text: ByteString(String(repeating: "t", count: textBytes)), atMilliseconds: 0, stamp: stamp))
        }
        var fits = ByteReader(encoded(Row.maxKeyBytes, Row.maxTextBytes))
        _ = try RowCodec.decode(from: &fits)
        for bytes in [encoded(Row.maxKeyBytes + 1, 0), encoded(1, Row.maxTextBytes + 1)] {
            var reader = ByteReader(bytes)
            #expect(throws: RowCodec.Failure.invalid) { try RowCodec.decode(from: &reader) }
        }
    }
}
