import Membership

extension FuzzTarget {
    static let messagePack = FuzzTarget(
        name: "messagepack",
        samples: { random in
            (0..<200).map { _ in
                var writer = MessagePackWriter()
                for _ in 0..<(1 + random.int(4)) { write(&random, depth: 0, to: &writer) }
                return writer.bytes
            }
        }, check: checkMessagePack)

    private static func write(_ random: inout RandomValues, depth: Int, to writer: inout MessagePackWriter) {
        switch random.int(depth < 4 ? 9 : 7) {
        case 0: writer.writeNil()
        case 1: writer.write(random.bool())
        case 2: writer.write(random.number(UInt64.self))
        case 3: writer.writeUnframed([0xcb] + (0..<8).map { _ in random.number(UInt8.self) })
        case 4: writer.write(random.text(upTo: 40))
        case 5: writer.write(Optional(random.bytes(upTo: 40)))
        case 6: writer.write(random.number(UInt8.self))
        case 7:
            let count = random.int(20)
            writer.writeUnframed(count < 16 ? [0x90 | UInt8(count)] : [0xdc, 0, UInt8(count)])
            for _ in 0..<count { write(&random, depth: depth + 2, to: &writer) }
        default:
            let count = random.int(5)
            writer.writeMapHeader(count)
            for _ in 0..<(2 * count) { write(&random, depth: depth + 2, to: &writer) }
        }
    }

    /// Reads each value in every way there is; whoever gets something must have stopped where skipping does.
    private static func checkMessagePack(_ input: [UInt8]) throws {
        var reader = MessagePackReader(input)
        for _ in 0..<32 where reader.remaining > 0 {
            var skipped = reader
            let isWhole = (try? skipped.skip()) != nil
            func read<Value>(
                _ kind: String, _ value: (inout MessagePackReader) throws(MessagePackError) -> Value
            ) throws -> Value? {
                var copy = reader
                guard let value = try? value(&copy) else { return nil }
                try require(copy.position > reader.position && copy.remaining >= 0, "\(kind) went astray")
                try require(isWhole && copy.position == skipped.position, "\(kind) stops elsewhere than a skip")
                return value
            }
            if let value = try read(
                "integer", { reader throws(MessagePackError) in try reader.integer(as: UInt64.self) })
            {
                var writer = MessagePackWriter()
                writer.write(value)
                var again = MessagePackReader(writer.bytes)
                try require(try again.integer(as: UInt64.self) == value, "\(value) is read as another")
            }
            _ = try read("signed", { reader throws(MessagePackError) in try reader.integer(as: Int8.self) })
            _ = try read("bool", { reader throws(MessagePackError) in try reader.bool() })
            if let value = try read("string", { reader throws(MessagePackError) in try reader.string() }) {
                var writer = MessagePackWriter()
                writer.write(value)
                var again = MessagePackReader(writer.bytes)
                try require(try again.string().utf8.elementsEqual(value.utf8), "a string is read as another")
            }
            if let value = try read("bytes", { reader throws(MessagePackError) in try reader.bytes() }) {
                try require((value?.count ?? 0) <= input.count, "more bytes than there are")
            }
            for header in [
                try? {
                    var copy = reader; return try copy.mapHeader()
                }(),
                try? {
                    var copy = reader; return try copy.arrayHeader()
                }(),
            ] {
                try require((header ?? 0) <= reader.remaining, "a header announces more than there is")
            }
            if isWhole { reader = skipped } else { reader = MessagePackReader(input[(reader.position + 1)...]) }
        }
    }
}
