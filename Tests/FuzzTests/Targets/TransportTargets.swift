import Transport

extension FuzzTarget {
    static let transport = [
        FuzzTarget(
            name: "messagepack",
            samples: { random in
                (0..<200).map { _ in
                    var writer = MessagePackWriter()
                    for _ in 0..<(1 + random.int(4)) { write(&random, depth: 0, to: &writer) }
                    return writer.bytes
                }
            }, check: checkMessagePack),
        FuzzTarget(
            name: "addresses",
            tokens: ["[", "]", "::", "-0", "+", "%eth0", "\u{0}", "٣", "65536"].map { Array($0.utf8) },
            samples: { random in
                (0..<200).map { _ in
                    random.bool() ? Array("\(random.address())".utf8) : Array("\(NodeID(random.number()))".utf8)
                }
            }, check: checkAddress),
    ]

    private static func write(_ random: inout RandomValues, depth: Int, to writer: inout MessagePackWriter) {
        switch random.int(depth < 4 ? 9 : 7) {
        case 0: writer.writeNil()
        case 1: writer.write(random.bool())
        case 2: writer.write(random.number(UInt64.self))
        case 3: writer.write(Double(bitPattern: random.number()))
        case 4: writer.write(random.text(upTo: 40))
        case 5: writer.write(Optional(random.bytes(upTo: 40)))
        case 6: writer.write(random.number(UInt8.self))
        case 7:
            let count = random.int(20)
            writer.writeArrayHeader(count)
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
            _ = try read("double", { reader throws(MessagePackError) in try reader.double() })
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

    private static func checkAddress(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        if let (host, port) = PeerAddress.split(text) {
            let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
            let again = PeerAddress.split(isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)")
            try require(again.map { $0 == host && $1 == port } == true, "\(text) is split otherwise when written again")
        }
        if let address = PeerAddress(text) {
            try require(PeerAddress(address.description) == address, "\(text) is read as \(address)")
            let isPlain = input.allSatisfy { Array("0123456789abcdefABCDEF:.[]".utf8).contains($0) }
            try require(isPlain, "\(text) is read as \(address)")
        }
        if let id = NodeID(text) {
            try require(id.description == text.lowercased(), "\(text) is read as \(id)")
        }
    }
}
