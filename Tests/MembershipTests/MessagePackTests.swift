import Membership
import Testing

@Suite("MessagePack in the old dialect")
struct MessagePackTests {
    func written(_ body: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        body(&writer)
        return writer.bytes
    }

    @Test(
        "Integers take the smallest unsigned form",
        arguments: [
            (0, [0x00]), (127, [0x7f]), (128, [0xcc, 0x80]), (255, [0xcc, 0xff]), (256, [0xcd, 1, 0]),
            (65_535, [0xcd, 0xff, 0xff]), (65_536, [0xce, 0, 1, 0, 0]),
            (4_294_967_295, [0xce, 0xff, 0xff, 0xff, 0xff]),
            (4_294_967_296, [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]), (.max, [0xcf] + Array(repeating: 0xff, count: 8)),
        ] as [(UInt64, [UInt8])])
    func unsigned(value: UInt64, bytes: [UInt8]) throws {
        #expect(written { $0.write(value) } == bytes)
        var reader = MessagePackReader(bytes)
        #expect(try reader.integer(as: UInt64.self) == value)
        #expect(reader.remaining == 0)
    }

    @Test(
        "Text and bytes are raw: fixraw below 32, raw16, raw32, never str8 or bin",
        arguments: [
            (0, [0xa0]), (31, [0xbf]), (32, [0xda, 0, 32]), (255, [0xda, 0, 255]), (65_535, [0xda, 0xff, 0xff]),
            (65_536, [0xdb, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func raw(count: Int, head: [UInt8]) throws {
        let content = [UInt8](repeating: 0x78, count: count)
        let text = String(repeating: "x", count: count)
        #expect(written { $0.write(content) } == head + content)
        #expect(written { $0.write(text) } == head + content)
        var reader = MessagePackReader(head + content)
        #expect(try reader.string() == text)
        reader = MessagePackReader(head + content)
        #expect(try reader.bytes() == content)
    }

    @Test(
        "Headers of maps and arrays grow with their counts",
        arguments: [
            (0, [0x80], [0x90]), (15, [0x8f], [0x9f]), (16, [0xde, 0, 16], [0xdc, 0, 16]),
            (65_536, [0xdf, 0, 1, 0, 0], [0xdd, 0, 1, 0, 0]),
        ] as [(Int, [UInt8], [UInt8])])
    func headers(count: Int, map: [UInt8], array: [UInt8]) throws {
        #expect(written { $0.writeMapHeader(count) } == map)
        let content = [UInt8](repeating: 0, count: 2 * count)
        var reader = MessagePackReader(map + content)
        #expect(try reader.mapHeader() == count)
        reader = MessagePackReader(array + content)
        #expect(try reader.arrayHeader() == count)
    }

    @Test("Nothing and truth values")
    func simple() {
        #expect(written { $0.writeNil() } == [0xc0])
        #expect(written { $0.write(nil as [UInt8]?) } == [0xc0])
        #expect(written { $0.write(true) } == [0xc3])
        #expect(written { $0.write(false) } == [0xc2])
    }

    @Test("Every integer family that fits is read; what does not fit is out of range")
    func integerFamilies() throws {
        func read<Value: FixedWidthInteger>(_ bytes: [UInt8], _ type: Value.Type) throws(MessagePackError) -> Value {
            var reader = MessagePackReader(bytes)
            return try reader.integer()
        }
        #expect(try read([0xd0, 0x7f], UInt8.self) == 127)
        #expect(try read([0xd1, 0x02, 0x4e], UInt32.self) == 590)
        #expect(try read([0xd2, 0, 1, 0, 0], UInt32.self) == 65_536)
        #expect(try read([0xd3, 0, 0, 0, 0, 0, 0, 0, 9], UInt8.self) == 9)
        #expect(try read([0xcf, 0, 0, 0, 0, 0, 0, 0, 9], UInt8.self) == 9)
        #expect(try read([0xe0], Int.self) == -32)
        #expect(try read([0xd0, 0x80], Int.self) == -128)
        #expect(try read([0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], Int64.self) == .min)
        #expect(try read([0xc0], Int.self) == 0)
        #expect(throws: MessagePackError.outOfRange(at: 0)) { try read([0xff], UInt64.self) }
        #expect(throws: MessagePackError.outOfRange(at: 0)) { try read([0xcd, 1, 0], UInt8.self) }
        #expect(throws: MessagePackError.outOfRange(at: 0)) {
            try read([0xcf] + Array(repeating: 0xff, count: 8), Int64.self)
        }
        #expect(throws: MessagePackError.wrongType(0xa0, at: 0)) { try read([0xa0], Int.self) }
    }

    @Test(
        "Bytes and text are read from raw, str8, bin and arrays of small integers; nil is nil or empty",
        arguments: [
            [0xa2, 0x68, 0x69], [0xd9, 2, 0x68, 0x69], [0xda, 0, 2, 0x68, 0x69], [0xdb, 0, 0, 0, 2, 0x68, 0x69],
            [0xc4, 2, 0x68, 0x69], [0xc5, 0, 2, 0x68, 0x69], [0xc6, 0, 0, 0, 2, 0x68, 0x69], [0x92, 0x68, 0x69],
            [0xdc, 0, 2, 0x68, 0xcc, 0x69], [0xdd, 0, 0, 0, 2, 0xd0, 0x68, 0x69],
        ] as [[UInt8]])
    func rawFamilies(bytes: [UInt8]) throws {
        var reader = MessagePackReader(bytes)
        #expect(try reader.bytes() == [0x68, 0x69])
        reader = MessagePackReader(bytes)
        #expect(try reader.string() == "hi")
        #expect(reader.remaining == 0)
        reader = MessagePackReader(bytes)
        try reader.skip()
        #expect(reader.remaining == 0)
    }

    @Test("c0 stands for the zero of anything")
    func nilForAnything() throws {
        var reader = MessagePackReader([UInt8](repeating: 0xc0, count: 6))
        #expect(try reader.bytes() == nil)
        #expect(try reader.string() == "")
        #expect(try reader.bool() == false)
        #expect(try reader.mapHeader() == 0)
        #expect(try reader.arrayHeader() == 0)
        #expect(reader.remaining == 1)
    }

    @Test("Truth values are also read from 0 and 1, and from nothing else")
    func bools() throws {
        var reader = MessagePackReader([0, 1, 0xc2, 0xc3, 2])
        #expect(try [reader.bool(), reader.bool(), reader.bool(), reader.bool()] == [false, true, false, true])
        #expect(throws: MessagePackError.wrongType(2, at: 4)) { try reader.bool() }
    }

    @Test(
        "Counts above what is left are refused before anything is allocated",
        arguments: [
            [0xdb, 0xff, 0xff, 0xff, 0xff], [0xc6, 0xff, 0xff, 0xff, 0xff], [0xdd, 0xff, 0xff, 0xff, 0xff, 1],
            [0xdf, 0xff, 0xff, 0xff, 0xff, 1], [0xa1], [0xda, 0], [0x81, 0xc0], [0x91], [0xcd, 1], [0xc7, 5, 0],
            [0xd8, 0], [],
        ] as [[UInt8]])
    func truncated(bytes: [UInt8]) {
        var reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.self) { try reader.skip() }
        reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.self) { try reader.bytes() }
        reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.self) { try reader.mapHeader() }
    }

    @Test("Values of any depth and kind are skipped without recursion, also a million arrays in one another")
    func skipping() throws {
        let deep = [UInt8](repeating: 0x91, count: 1_000_000) + [0xc0, 0x2a]
        var reader = MessagePackReader(deep)
        try reader.skip()
        #expect(try reader.integer(as: Int.self) == 42)
        let kinds: [UInt8] =
            [0x82, 0xa1, 0x61, 0x92, 0xc3, 0xca, 0, 0, 0, 0, 0xc4, 1, 9, 0x81, 0xd4, 1, 2, 0xd8, 1]
            + .init(repeating: 0, count: 16)
            + [0xc7, 2, 1, 0, 0, 0xd3, 0, 0, 0, 0, 0, 0, 0, 0]
        reader = MessagePackReader(kinds)
        try reader.skip()
        try reader.skip()
        try reader.skip()
        #expect(reader.remaining == 0)
        reader = MessagePackReader([0xc1])
        #expect(throws: MessagePackError.wrongType(0xc1, at: 0)) { try reader.skip() }
    }

    @Test(
        "Text that is not UTF-8 is refused in every family",
        arguments: [[0xa1, 0xff], [0xc4, 1, 0xff], [0x91, 0xcc, 0xff]] as [[UInt8]])
    func invalidText(bytes: [UInt8]) {
        var reader = MessagePackReader(bytes)
        #expect(throws: MessagePackError.invalidText(at: 0)) { try reader.string() }
    }

    @Test("Positions are those of the slice that was given")
    func positions() throws {
        let bytes: [UInt8] = [9, 9, 0xa1, 0x61, 0xff]
        var reader = MessagePackReader(bytes[2...])
        #expect(reader.position == 2)
        _ = try reader.string()
        #expect(reader.position == 4)
        #expect(throws: MessagePackError.outOfRange(at: 4)) { try reader.integer(as: UInt8.self) }
    }
}
