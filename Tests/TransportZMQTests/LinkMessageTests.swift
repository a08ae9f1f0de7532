import Testing
import Transport

@testable import TransportZMQ

@Suite("Link messages")
struct LinkMessageTests {
    /// A message and its bytes as the format says, in hexadecimal.
    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var message: LinkMessage
        var hex: String
        /// Bytes that have to be there; a frame cut to fewer is malformed, one cut to more is a shorter valid message.
        var leastBytes: Int

        var testDescription: String { name }
        var bytes: [UInt8] { Self.bytes(hex) }

        static func bytes(_ hex: String) -> [UInt8] {
            let digits = Array(hex.filter { $0 != " " })
            return stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0..<($0 + 2)]), radix: 16)
            }
        }
    }

    private static let stream: UInt64 = 0x0123_4567_89ab_cdef

    static let examples: [Example] = [
        Example(
            name: "hello", message: .hello(Hello(stream: stream, port: 7946, publishPort: 40_000)),
            hex: "01 4143535a 02 02 0123456789abcdef 1f0a 9c40 00", leastBytes: 20),
        Example(
            name: "hello with IPv4",
            message: .hello(Hello(stream: stream, port: 7946, publishPort: 1, publishHost: .v4(0x0a00_0203))),
            hex: "01 4143535a 02 02 0123456789abcdef 1f0a 0001 04 0a000203", leastBytes: 24),
        Example(
            name: "welcome with IPv6 and versions",
            message: .welcome(
                Hello(
                    versions: 2...9, stream: .max, port: 0xffff, publishPort: 0,
                    publishHost: .v6(high: 0x2001_0db8_0000_0000, low: 5))),
            hex: "02 4143535a 02 09 ffffffffffffffff ffff 0000 10 20010db8000000000000000000000005", leastBytes: 36),
        Example(name: "refusal", message: .refusal(versions: 1...255), hex: "03 4143535a 01 ff", leastBytes: 7),
        Example(
            name: "unicast", message: .unicast(.replication, message: [0xaa, 0xbb, 0xcc]), hex: "04 01 aabbcc",
            leastBytes: 2),
        Example(name: "empty unicast", message: .unicast(.membership, message: []), hex: "04 00", leastBytes: 2),
        Example(
            name: "two unicasts", message: .unicasts(.replication, messages: [[0xaa, 0xbb], [0xcc]]),
            hex: "08 01 00000002 aabb 00000001 cc", leastBytes: 13),
        Example(
            name: "empty unicasts", message: .unicasts(.membership, messages: [[], []]),
            hex: "08 00 00000000 00000000", leastBytes: 10),
        Example(name: "subscribed", message: .subscribed, hex: "05", leastBytes: 1),
        Example(name: "ping", message: .ping, hex: "06", leastBytes: 1),
        Example(name: "arrived", message: .arrived(bytes: 0x0001_0203), hex: "07 00010203", leastBytes: 5),
        Example(
            name: "open", message: .open(exchange: 0xdead_beef, .membership), hex: "10 deadbeef 00", leastBytes: 6),
        Example(name: "accepted", message: .accepted(exchange: 1), hex: "11 00000001", leastBytes: 5),
        Example(name: "reset, busy", message: .reset(exchange: 2, .busy), hex: "12 00000002 01", leastBytes: 6),
        Example(name: "reset, closed", message: .reset(exchange: 2, .closed), hex: "12 00000002 02", leastBytes: 6),
        Example(
            name: "data", message: .data(exchange: 3, endsMessage: true, bytes: [9, 8]), hex: "13 00000003 01 0908",
            leastBytes: 6),
        Example(
            name: "data that goes on", message: .data(exchange: 3, endsMessage: false, bytes: [9]),
            hex: "13 00000003 00 09", leastBytes: 6),
        Example(
            name: "credit", message: .credit(exchange: 4, bytes: .max), hex: "14 00000004 ffffffff", leastBytes: 9),
        Example(name: "end", message: .end(exchange: .max), hex: "15 ffffffff", leastBytes: 5),
    ]

    @Test("A message has exactly the bytes of the format, and is read from them", arguments: examples)
    func exactBytes(example: Example) throws {
        #expect(example.message.encoded() == example.bytes)
        #expect(try LinkMessage.decode(example.bytes) == example.message)
    }

    @Test(
        "A message cut before its last field is malformed; cut within its free bytes it is a shorter one",
        arguments: examples)
    func truncations(example: Example) throws {
        for count in 0..<example.bytes.count {
            let cut = Array(example.bytes[..<count])
            if count < example.leastBytes {
                #expect(throws: WireError.malformed) { try LinkMessage.decode(cut) }
            } else {
                // Only the free bytes of unicast and data may be fewer.
                #expect(try LinkMessage.decode(cut).encoded() == cut)
            }
        }
    }

    @Test(
        "Bytes after the last field are ignored where the layout never changes, and malformed elsewhere",
        arguments: examples)
    func trailingBytes(example: Example) throws {
        let longer = example.bytes + [0]
        switch example.message {
        case .hello, .welcome, .refusal: #expect(try LinkMessage.decode(longer) == example.message)
        case .unicast, .data: #expect(try LinkMessage.decode(longer).encoded() == longer)
        case .unicasts, .subscribed, .ping, .arrived, .open, .accepted, .reset, .credit, .end:
            #expect(throws: WireError.malformed) { try LinkMessage.decode(longer) }
        }
    }

    @Test("Every other type is unsupported, whatever follows")
    func unknownTypes() {
        let known = Set(Self.examples.map { $0.bytes[0] })
        #expect(known.count == 14)
        for type in UInt8.min...UInt8.max where !known.contains(type) {
            for rest in [[], [0], [UInt8](repeating: 0xff, count: 40)] {
                #expect(throws: WireError.unsupported(.type(type))) { try LinkMessage.decode([type] + rest) }
            }
        }
        #expect(throws: WireError.malformed) { try LinkMessage.decode([UInt8]()) }
    }

    @Test(
        "A field with a value that it cannot have is malformed",
        arguments: [
            (
                "magic", "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 00",
                "01 4143535b 01 01 0123456789abcdef 1f0a 9c40 00"
            ),
            (
                "version 0", "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 00",
                "01 4143535a 00 01 0123456789abcdef 1f0a 9c40 00"
            ),
            (
                "versions the wrong way round", "02 4143535a 02 03 0123456789abcdef 1f0a 9c40 00",
                "02 4143535a 03 02 0123456789abcdef 1f0a 9c40 00"
            ),
            (
                "stream 0", "01 4143535a 01 01 0000000000000001 1f0a 9c40 00",
                "01 4143535a 01 01 0000000000000000 1f0a 9c40 00"
            ),
            (
                "host of one byte", "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 00 7f",
                "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 01 7f"
            ),
            (
                "host of five bytes", "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 04 7f00000100",
                "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 05 7f00000100"
            ),
            (
                "host of 17 bytes",
                "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 10 0102030405060708090a0b0c0d0e0f1011",
                "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 11 0102030405060708090a0b0c0d0e0f1011"
            ),
            (
                "host beyond the end", "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 04 7f000001",
                "01 4143535a 01 01 0123456789abcdef 1f0a 9c40 ff 7f000001"
            ),
            ("refusal of version 0", "03 4143535a 01 01", "03 4143535a 00 01"),
            ("refusal the wrong way round", "03 4143535a 02 02", "03 4143535a 02 01"),
            ("channel of a unicast", "04 01 aa", "04 02 aa"),
            ("channel of unicasts", "08 01 00000001 aa 00000000", "08 02 00000001 aa 00000000"),
            ("one of several unicasts", "08 01 00000001 aa 00000000", "08 01 00000005 aa 00000000"),
            ("none of several unicasts", "08 01 00000001 aa 00000000", "08 01"),
            ("first length", "08 01 00000001 aa 00000000", "08 01 00000006 aa 00000000"),
            ("second length", "08 01 00000001 aa 00000000", "08 01 00000001 aa 00000001"),
            ("greatest length", "08 01 00000001 aa 00000000", "08 01 00000001 aa ffffffff"),
            ("part of a length", "08 01 00000001 aa 00000000", "08 01 00000001 aa 000000"),
            ("channel of an open", "10 00000001 01", "10 00000001 02"),
            ("reason 0", "12 00000001 01", "12 00000001 00"),
            ("reason 3", "12 00000001 02", "12 00000001 03"),
            ("flag 1", "13 00000001 01 aa", "13 00000001 02 aa"),
            ("flag 7", "13 00000001 01 aa", "13 00000001 81 aa"),
        ])
    func malformed(what: String, good: String, bad: String) {
        #expect(throws: Never.self, "\(what)") { try LinkMessage.decode(Example.bytes(good)) }
        #expect(throws: WireError.malformed, "\(what)") { try LinkMessage.decode(Example.bytes(bad)) }
    }

    @Test("The largest fragment passes")
    func largestFragment() throws {
        let message = LinkMessage.data(exchange: 1, endsMessage: true, bytes: [UInt8](repeating: 7, count: 32 * 1024))
        #expect(message.encoded().count == 32 * 1024 + 6)
        #expect(try LinkMessage.decode(message.encoded()) == message)
    }

    @Test("A publish host has one form: an IPv6 address that stands for an IPv4 one is that")
    func oneHostForm() throws {
        let mapped = Hello(
            stream: 1, port: 1, publishPort: 1, publishHost: .v6(high: 0, low: 0xffff_7f00_0001))
        #expect(mapped.publishHost == .v4(0x7f00_0001))
        let bytes = Example.bytes("01 4143535a 02 02 0000000000000001 0001 0001 10 00000000000000000000ffff7f000001")
        #expect(try LinkMessage.decode(bytes) == .hello(mapped))
    }

    @Test("The version in use is the highest that both speak")
    func commonVersion() {
        func common(_ left: ClosedRange<UInt8>, _ right: ClosedRange<UInt8>) -> UInt8? {
            Hello(versions: left, stream: 1, port: 1, publishPort: 1).commonVersion(with: right)
        }
        #expect(common(1...1, 1...1) == 1)
        #expect(common(1...3, 2...5) == 3)
        #expect(common(2...5, 1...3) == 3)
        #expect(common(1...9, 4...5) == 5)
        #expect(common(1...255, 255...255) == 255)
        #expect(common(1...2, 3...4) == nil)
        #expect(common(3...4, 1...2) == nil)
        #expect(Hello(stream: 1, port: 1, publishPort: 1).commonVersion() == Hello.versions.upperBound)
    }
}
