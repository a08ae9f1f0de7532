import Testing
import Transport

@Suite("Addresses")
struct PeerAddressTests {
    @Test(
        "Text is read and written back the same",
        arguments: [
            "127.0.0.1:7946", "0.0.0.0:1", "255.255.255.255:65535", "[::1]:7946", "[fd00::1:2]:80", "[::]:0",
        ])
    func roundTrip(text: String) {
        #expect(PeerAddress(text)?.description == text)
    }

    @Test(
        "Text that is no address and port is refused",
        arguments: [
            "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1",
            "1.2.3:4",
            "1.2.3.4.5:6", "::1:7946", "[::1]", "[::1:7946", "::1]:7946", "[]:1", "host:7946", "127.0.0.1:７",
        ])
    func refused(text: String) {
        #expect(PeerAddress(text) == nil)
    }

    @Test("Host names are split from their port for the caller to resolve")
    func split() {
        #expect(PeerAddress.split("node-1.example:7946").map { "\($0.host) \($0.port)" } == "node-1.example 7946")
        #expect(PeerAddress.split("[fd00::1]:80").map { "\($0.host) \($0.port)" } == "fd00::1 80")
        #expect(PeerAddress.split("fd00::1:80") == nil)
        #expect(PeerAddress.split(":80") == nil)
    }

    @Test("IPv4 within IPv6 is IPv4, whichever way it comes")
    func mapped() {
        let plain = PeerAddress(host: .v4(0x7f00_0001), port: 5)
        #expect(PeerAddress("[::ffff:127.0.0.1]:5") == plain)
        #expect(PeerAddress(hostBytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1], port: 5) == plain)
        #expect(plain.hostBytes == [127, 0, 0, 1])
    }

    @Test(
        "A zero byte, a minus sign, a combining mark or a bracket is part of no host and no port",
        arguments: [
            "127.0.0.1\u{0}:80", "[::1\u{0}]:80", "[::1]\u{0}:80", "a\u{0}b:80", "127.0.0.1:-0", "a:80\u{301}",
            ":\u{301}:80", "[[e]:80", "a]:80",
        ])
    func refusedBytes(text: String) {
        #expect(PeerAddress(text) == nil)
        #expect(PeerAddress.split(text) == nil)
    }

    @Test("Four or sixteen bytes are an address, other counts are not")
    func hostBytes() {
        for count in 0...20 {
            let bytes = [UInt8](repeating: 7, count: count)
            let address = PeerAddress(hostBytes: bytes[...], port: 9)
            #expect((address != nil) == (count == 4 || count == 16))
            #expect(address == nil || address?.hostBytes == bytes)
        }
    }

    @Test("Loopback and unspecified addresses are known as such, and the order is by family, address, port")
    func properties() throws {
        let texts = ["0.0.0.0:1", "127.0.0.1:1", "127.0.0.1:2", "200.0.0.1:1", "[::]:1", "[::1]:1", "[ff00::]:1"]
        let addresses = try texts.map { try #require(PeerAddress($0)) }
        #expect(addresses.map(\.isLoopback) == [false, true, true, false, false, true, false])
        #expect(addresses.map(\.isUnspecified) == [true, false, false, false, true, false, false])
        #expect(addresses.reversed().sorted() == addresses)
        #expect(addresses[1].with(port: 2) == addresses[2])
    }
}

@Suite("Instants and durations")
struct EngineInstantTests {
    @Test("Sums stop at zero and at the largest instant")
    func saturating() {
        let largest = EngineInstant(nanoseconds: .max)
        #expect(EngineInstant.zero + .seconds(1) == EngineInstant(nanoseconds: 1_000_000_000))
        #expect(EngineInstant.zero + .seconds(-1) == .zero)
        #expect(EngineInstant(nanoseconds: 5) + .nanoseconds(-5) == .zero)
        #expect(largest + .nanoseconds(1) == largest)
        #expect(largest + .nanoseconds(-1) == EngineInstant(nanoseconds: .max - 1))
        #expect(EngineInstant.zero + .seconds(Int64.min) == .zero)
        #expect(EngineInstant.zero + .seconds(Int64.max) == EngineInstant(nanoseconds: UInt64(Int64.max)))
    }

    @Test("Differences go both ways and stop at 292 years")
    func differences() {
        let (early, late) = (EngineInstant(nanoseconds: 10), EngineInstant(nanoseconds: 25))
        #expect(late - early == .nanoseconds(15))
        #expect(early - late == .nanoseconds(-15))
        #expect(EngineInstant(nanoseconds: .max) - .zero == .nanoseconds(Int64.max))
        #expect(EngineInstant.zero - EngineInstant(nanoseconds: .max) == .nanoseconds(-Int64.max))
        #expect(early < late)
        #expect(EngineInstant(nanoseconds: 1_500_000).description == "1ms")
    }

    @Test("Durations in nanoseconds stop at the ends of 64 bits")
    func nanoseconds() {
        #expect(Duration.milliseconds(-1).wholeNanoseconds == -1_000_000)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(2_500).inSeconds == 2.5)
    }
}

@Suite("Node ids, byte readers and the generator")
struct SmallValueTests {
    @Test("A node id is written as sixteen digits and read back; anything else is refused")
    func nodeID() {
        #expect(NodeID(0xab).description == "00000000000000ab")
        #expect(NodeID("00000000000000ab") == NodeID(0xab))
        #expect(NodeID("ffffffffffffffff") == NodeID(.max))
        for text in [
            "", "ab", "+0000000000000ab", "-0000000000000ab", "-000000000000000", "00000000000000ag",
            "000000000000000ab",
        ] {
            #expect(NodeID(text) == nil)
        }
        #expect(NodeID(1) < NodeID(2))
    }

    @Test("Integers are big-endian, and what is not there is not read")
    func byteReader() throws {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt16(0x0102))
        bytes.append(bigEndian: UInt64(0x0304_0506_0708_090a))
        bytes.append(bigEndian: UInt8(0x0b))
        #expect(bytes == Array(1...11))
        var reader = ByteReader((([0, 0] as [UInt8]) + bytes)[2...])
        #expect(try reader.integer(UInt16.self) == 0x0102)
        #expect(throws: ByteReader.Truncated.self) { try reader.slice(10) }
        #expect(throws: ByteReader.Truncated.self) { try reader.slice(-1) }
        #expect(try reader.integer(UInt64.self) == 0x0304_0506_0708_090a)
        #expect(reader.remaining == 1 && !reader.isAtEnd)
        #expect(throws: ByteReader.Truncated.self) { try reader.integer(UInt16.self) }
        #expect(Array(reader.rest) == [11])
        #expect(Array(try reader.slice(1)) == [11])
        #expect(Array(try reader.slice(0)).isEmpty)
        #expect(reader.isAtEnd)
    }

    @Test("One seed gives one sequence, SplitMix64's, and durations stay in their range")
    func generator() {
        var generator = SeededGenerator(seed: 0)
        #expect((0..<2).map { _ in generator.next() } == [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4])
        let range = Duration.milliseconds(5)...(.milliseconds(6))
        for _ in 0..<1_000 { #expect(range.contains(generator.duration(in: range))) }
        #expect(generator.duration(in: .zero...Duration.zero) == .zero)
    }
}
