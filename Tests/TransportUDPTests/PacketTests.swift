import Keys
import Testing
import Transport

@testable import TransportUDP

@Suite("Packets")
struct PacketTests {
    /// Layers that are not spoken yet, by the first byte of a packet.
    private static let foreignLayers: Set<UInt8> = [9, 12, 244]

    @Test("Golden packets of memberlist: bare and compound are split, other layers are counted")
    func goldenPackets() throws {
        let packets = try Vectors.load().vectors.filter { $0.kind == "packet" && $0.key == nil }
        #expect(packets.count > 30)
        for vector in packets {
            let bytes = try vector.bytes
            let contents = PacketCodec.decode(bytes[...])
            if Self.foreignLayers.contains(bytes[0]) {
                #expect(contents.parts.isEmpty && contents.unsupported == 1, "\(vector.name)")
            } else if bytes[0] != 7 {
                let whole = PacketCodec.Part(channel: .membership, delivery: .unicast, message: bytes[...])
                #expect(contents.parts == [whole], "\(vector.name)")
            } else if vector.name != "compound_truncated" {
                #expect(contents.parts.count == Int(bytes[1]), "\(vector.name)")
                #expect(contents.malformed == 0 && contents.unsupported == 0, "\(vector.name)")
                #expect(PacketCodec.encode(contents.parts.map { Array($0.message) }) == bytes, "\(vector.name)")
            }
        }
    }

    @Test("A truncated compound gives the parts before the break")
    func truncated() throws {
        let vectors = try Vectors.load().vectors
        let whole = try #require(vectors.first { $0.name == "compound" }).bytes
        let cut = try #require(vectors.first { $0.name == "compound_truncated" }).bytes
        let contents = PacketCodec.decode(cut[...])
        #expect(contents.parts == Array(PacketCodec.decode(whole[...]).parts.prefix(contents.parts.count)))
        #expect(contents.parts.count == 3 && contents.malformed == 1)
        let short = try #require(vectors.first { $0.name == "reject_compound_short_lengths" }).bytes
        #expect(PacketCodec.decode(short[...]).parts.isEmpty && PacketCodec.decode(short[...]).malformed == 1)
    }

    @Test("Golden encrypted packets are dropped and counted, with and without our key")
    func encrypted() throws {
        let packets = try Vectors.load().vectors.filter { $0.kind.hasPrefix("packet") && $0.key != nil }
        #expect(packets.count > 15)
        let opener = PacketOpener(seal: PacketSeal(try ClusterKey([UInt8](1...32))))
        for vector in packets {
            #expect(opener.open(try vector.bytes[...]) == .dropped(.unsupported, refusal: nil), "\(vector.name)")
        }
        let version2 = try #require(Vectors.load().vectors.first { $0.name == "reject_encryption_version_2" }).bytes
        #expect(opener.open(version2[...]) == .dropped(.otherKey, refusal: .otherKey))
        #expect(PacketOpener(seal: nil).open(version2[...]) == .dropped(.otherKey, refusal: .sealed))
    }

    @Test("With a key clear packets are dropped as such")
    func clearPackets() throws {
        let opener = PacketOpener(seal: PacketSeal(try ClusterKey([UInt8](1...32))))
        for vector in try Vectors.load().vectors where vector.kind == "packet" && vector.key == nil {
            let bytes = try vector.bytes
            let expected: PacketOpener.Outcome =
                Self.foreignLayers.contains(bytes[0])
                ? .dropped(.unsupported, refusal: nil) : .dropped(.clearText, refusal: .clearText)
            #expect(opener.open(bytes[...]) == expected, "\(vector.name)")
        }
        #expect(opener.open([0xd1, 1]) == .dropped(.clearText, refusal: .clearText))
        #expect(opener.open([]) == .dropped(.malformed, refusal: nil))
        #expect(opener.open([2, 1, 1]) == .dropped(.malformed, refusal: nil))
    }

    @Test("Without a key every clear message passes, acks too")
    func acks() throws {
        for vector in try Vectors.load().vectors where vector.kind == "packet" && vector.key == nil {
            let bytes = try vector.bytes
            #expect(PacketOpener(seal: nil).open(bytes[...]) == .content(bytes[...]), "\(vector.name)")
        }
    }

    @Test("Parts of ours keep channel and delivery; nested compounds and empty parts are counted")
    func ownParts() {
        let packet = PacketCodec.encode([[0xd0, 1], [0xd1, 2], [0xd2], [8, 4], [7, 1, 0, 1, 8], [], [0xd3]])
        let contents = PacketCodec.decode(packet[...])
        #expect(contents.parts.map(\.channel) == [.replication, .replication, .replication, .membership])
        #expect(
            contents.parts.map(\.delivery) == [
                .unicast, .broadcast(reachedEveryone: false), .broadcast(reachedEveryone: true), .unicast,
            ])
        #expect(contents.parts.map { Array($0.message) } == [[1], [2], [], [8, 4]])
        #expect(contents.unsupported == 2 && contents.malformed == 1)
    }

    @Test("255 parts fit")
    func mostParts() {
        let most = PacketCodec.encode([[UInt8]](repeating: [8], count: 255))
        #expect(PacketCodec.decode(most[...]).parts.count == 255)
    }
}

@Suite("Sealing")
struct PacketSealTests {
    private static let key = [UInt8](1...32)
    private static let nonce = [UInt8](0..<24)

    @Test("Known answer, from an independent implementation of BLAKE2b and XChaCha20-Poly1305")
    func knownAnswer() throws {
        let clusterKey = try ClusterKey(Self.key)
        let subkey = clusterKey.subkey(for: .packets).withBytes { Array(UnsafeBufferPointer(start: $0, count: 32)) }
        #expect(
            subkey == (try Vectors.bytes("b28558c7151b1be3cc364a6ee6c509a6f96f8e7f381e981cdcd0c49ab1a672dd")))
        let words = clusterKey.subkey(for: .packets).firstWords
        #expect(words.0.byteSwapped == 0xb285_58c7_151b_1be3 && words.1.byteSwapped == 0xcc36_4a6e_e6c5_09a6)
        let sealed = PacketSeal(clusterKey).seal([8] + Array("hello, cluster".utf8), nonce: Self.nonce)
        #expect(
            sealed
                == (try Vectors.bytes(
                    "02000102030405060708090a0b0c0d0e0f10111213141516172cdd7fe06b5beb65b5d12e923e3535b029c2aabcdfd7110e"
                        + "06003c563ad3b1")))
    }

    @Test("Each bit that is changed, each byte that is cut, is noticed")
    func tampering() throws {
        let seal = PacketSeal(try ClusterKey(Self.key))
        let sealed = seal.seal([8, 1, 2, 3])
        #expect(seal.open(sealed[...]) == [8, 1, 2, 3])
        for bit in 0..<(sealed.count * 8) {
            var changed = sealed
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(seal.open(changed[...]) == nil)
        }
        for count in 0..<sealed.count { #expect(seal.open(sealed[..<count]) == nil) }
        let other = PacketSeal(try ClusterKey([UInt8](2...33)))
        #expect(other.open(sealed[...]) == nil)
        #expect(seal.open(seal.seal([])[...]) == [])
    }

    @Test("A nonce never repeats and never looks like a clear ack")
    func nonces() throws {
        let seal = PacketSeal(try ClusterKey(Self.key))
        let nonces = (0..<1_000).map { _ in Array(seal.seal([8])[1..<25]) }
        #expect(Set(nonces).count == 1_000)
        #expect(nonces.allSatisfy { $0[0] < 0x80 })
    }

    @Test("A key says nothing of itself, and must have 32 bytes")
    func keys() throws {
        let key = try ClusterKey(Self.key)
        var dumped = ""
        dump(key, to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped] {
            #expect(text.contains("redacted") && !text.contains("1, 2") && !text.contains("0x"))
        }
        #expect(Mirror(reflecting: key).children.isEmpty)
        for count in [0, 16, 31, 33] {
            #expect(throws: TransportError.self) { try ClusterKey([UInt8](repeating: 1, count: count)) }
        }
    }
}
