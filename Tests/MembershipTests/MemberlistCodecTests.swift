import Membership
import TestSupport
import Testing
import Transport

@Suite("The memberlist codec")
struct MemberlistCodecTests {
    /// Vectors of whole packets and streams; the rest of the file is about layers and Serf's contents.
    static let messages = Vector.all.filter { $0.kind == "packet" || $0.kind == "stream" }

    static func decode(_ vector: Vector) throws(MembershipWireError) -> MembershipMessage {
        vector.kind == "stream"
            ? try MemberlistCodec.decodeStream(vector.bytes) : try MemberlistCodec.decode(vector.bytes)
    }

    @Test("Every golden vector that is a bare message is decoded to what its description says")
    func decodesBareVectors() throws {
        var decoded = 0
        for vector in Self.messages {
            guard let expected = Vector.message(vector.expect) else { continue }
            #expect(try Self.decode(vector) == expected, "\(vector.name)")
            decoded += 1
        }
        #expect(decoded == 37)
    }

    @Test("Every message that we also send is encoded to the bytes of the Go programs")
    func encodesLikeGo() throws {
        var encoded = 0
        for vector in Self.messages where vector.producer != "head" {
            guard let message = Vector.message(vector.expect) else { continue }
            // The only one with IPv4 in 16 bytes, which we write in 4.
            if vector.name == "ping_seq_u32" { continue }
            let bytes =
                vector.kind == "stream" ? MemberlistCodec.encodeStream(message) : MemberlistCodec.encode(message)
            #expect(bytes == vector.bytes, "\(vector.name)")
            encoded += 1
        }
        #expect(encoded == 32)
    }

    @Test("The parts of the golden compounds are decoded one by one")
    func decodesCompoundParts() throws {
        var compounds = 0
        var parts = 0
        for vector in Self.messages where vector.bytes.first == 7 {
            let expected = (vector.expect["parts"] as? [[String: Any]] ?? []).compactMap(Vector.message)
            let pieces = try #require(compoundParts(vector.bytes))
            for (piece, message) in zip(pieces, expected) {
                #expect(try MemberlistCodec.decode(piece) == message, "\(vector.name)")
                parts += 1
            }
            #expect(pieces.count == expected.count, "\(vector.name)")
            compounds += 1
        }
        #expect(compounds == 9)
        #expect(parts == 23)
    }

    @Test("Layers that only foreign nodes use are refused as unsupported")
    func refusesForeignLayers() {
        var unsupported: [UInt8: Int] = [:]
        for vector in Vector.all where ["packet", "stream", "compress"].contains(vector.kind) {
            guard Vector.message(vector.expect) == nil, vector.expect["encrypted"] == nil || vector.kind == "stream"
            else { continue }
            do throws(MembershipWireError) {
                let message = try Self.decode(vector)
                Issue.record("\(vector.name) was decoded as \(message)")
            } catch {
                guard case .unsupported(let type) = error else {
                    Issue.record("\(vector.name): \(error)")
                    continue
                }
                unsupported[type, default: 0] += 1
            }
        }
        #expect(unsupported == [7: 9, 9: 27, 10: 4, 12: 14, 244: 3])
    }

    @Test("Sealed datagrams, whose first byte is a version and not a type, and altered vectors throw; none is decoded")
    func refusesSealedAndRejected() {
        var refused = 0
        for vector in Vector.all {
            let isSealed = vector.expect["encrypted"] != nil && vector.kind != "stream"
            // A clear ping is rubbish only where a key is set, which is the transport's to know.
            let isRejected = vector.kind == "reject" && vector.name != "reject_plain_ping_when_encrypted"
            guard isSealed || isRejected else { continue }
            #expect(throws: MembershipWireError.self, "\(vector.name)") { try MemberlistCodec.decode(vector.bytes) }
            refused += 1
        }
        #expect(refused == 28)
    }

    @Test("Golden tags of Serf are read, and written with sorted keys")
    func tags() throws {
        for vector in Vector.all where vector.kind == "serf_meta" {
            let expected = try #require(vector.expect["tags"] as? [String: String])
            let tags = try #require(MemberTags(meta: vector.bytes))
            #expect(tags.values == expected)
            #expect(try MemberTags(meta: tags.meta())?.values == expected)
        }
        #expect(MemberTags(meta: nil) == nil)
        #expect(MemberTags(meta: []) == nil)
        #expect(MemberTags(meta: Array("raw-role".utf8)) == nil)
        #expect(
            try MemberTags(["b": "2", "a": "1"]).meta() == [0xff, 0x82, 0xa1, 0x61, 0xa1, 0x31, 0xa1, 0x62, 0xa1, 0x32])
    }

    @Test("Tags of 512 bytes are sent, of 513 are not")
    func tagsLimit() throws {
        // ff, map header, "a" (2 bytes), raw16 header (3 bytes).
        let full = MemberTags(["a": String(repeating: "x", count: 512 - 7)])
        #expect(try full.meta().count == 512)
        let over = MemberTags(["a": String(repeating: "x", count: 513 - 7)])
        #expect(throws: MemberTagsError.tooLong(bytes: 513)) { try over.meta() }
    }

    @Test("A stream's message ends where it says, whatever follows, and every shorter piece needs more")
    func streamEnd() {
        var streams = 0
        for vector in Self.messages where vector.kind == "stream" && Vector.message(vector.expect) != nil {
            #expect(MemberlistCodec.streamEnd(vector.bytes[...]) == .complete(vector.bytes.count), "\(vector.name)")
            #expect(MemberlistCodec.streamEnd((vector.bytes + [6, 0x83])[...]) == .complete(vector.bytes.count))
            // Also within a larger array, where indices do not begin at 0.
            let shifted = [9, 9, 9] + vector.bytes
            #expect(MemberlistCodec.streamEnd(shifted[3...]) == .complete(vector.bytes.count))
            for count in 0..<vector.bytes.count {
                #expect(MemberlistCodec.streamEnd(vector.bytes[..<count]) == .needsMore, "\(vector.name) \(count)")
            }
            streams += 1
        }
        #expect(streams == 6)
    }

    @Test("Streams of other types, and lengths above the limits, are invalid at once")
    func invalidStreams() {
        for type: UInt8 in [1, 3, 4, 5, 7, 9, 10, 11, 12, 14, 244] {
            #expect(MemberlistCodec.streamEnd([type, 0x80]) == .invalid, "type \(type)")
        }
        func header(_ key: String, _ value: UInt64, type: UInt8) -> [UInt8] {
            var writer = MessagePackWriter(prefix: [type])
            writer.writeMapHeader(1)
            writer.write(key)
            writer.write(value)
            return writer.bytes
        }
        #expect(MemberlistCodec.streamEnd(header("Nodes", 1 << 20, type: 6)[...]) == .needsMore)
        #expect(MemberlistCodec.streamEnd(header("Nodes", 1 << 20 + 1, type: 6)[...]) == .invalid)
        #expect(MemberlistCodec.streamEnd(header("UserStateLen", 20 << 20, type: 6)[...]) == .needsMore)
        #expect(MemberlistCodec.streamEnd(header("UserStateLen", 20 << 20 + 1, type: 6)[...]) == .invalid)
        #expect(MemberlistCodec.streamEnd(header("UserMsgLen", .max, type: 8)[...]) == .invalid)
        #expect(throws: MembershipWireError.tooLarge("Nodes")) {
            try MemberlistCodec.decodeStream(header("Nodes", .max, type: 6))
        }
    }

    @Test("A push/pull is refused in a datagram, and gossip on a stream")
    func wrongCarrier() {
        let pushPull = MemberlistCodec.encode(.pushPull(PushPull(isJoin: true, nodes: [])))
        #expect(throws: MembershipWireError.unsupported(6)) { try MemberlistCodec.decode(pushPull) }
        let suspect = MemberlistCodec.encode(.suspect(AccusationBody(incarnation: 1, node: "b", from: "a")))
        #expect(throws: MembershipWireError.unsupported(3)) { try MemberlistCodec.decodeStream(suspect) }
        #expect(throws: MembershipWireError.empty) { try MemberlistCodec.decode([]) }
    }

    @Test("Unknown keys are skipped with any value, missing ones are zero, nil stands for anything")
    func tolerantFields() throws {
        var writer = MessagePackWriter(prefix: [0])
        writer.writeMapHeader(3)
        writer.write("Deep")
        writer.writeUnframed([UInt8](repeating: 0x91, count: 500))
        writer.writeNil()
        writer.write("SeqNo")
        writer.write(UInt8(7))
        writer.write("Node")
        writer.writeNil()
        #expect(try MemberlistCodec.decode(writer.bytes) == .ping(PingBody(sequence: 7, node: "")))
        #expect(try MemberlistCodec.decode([0, 0x80]) == .ping(PingBody(sequence: 0, node: "")))
        // HEAD writes integers above 127 signed; bin is accepted for text.
        let bytes: [UInt8] = [11, 0x81, 0xc4, 5] + Array("SeqNo".utf8) + [0xd1, 0x02, 0x4e]
        #expect(try MemberlistCodec.decode(bytes) == .nack(NackBody(sequence: 590)))
    }

    @Test("A negative or too large number, a wrong address length and text that is not UTF-8 are refused")
    func badFields() {
        let negative: [UInt8] = [11, 0x81, 0xa5] + Array("SeqNo".utf8) + [0xff]
        #expect(throws: MembershipWireError.malformed(.outOfRange(at: 8))) { try MemberlistCodec.decode(negative) }
        let large: [UInt8] = [11, 0x81, 0xa5] + Array("SeqNo".utf8) + [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]
        #expect(throws: MembershipWireError.malformed(.outOfRange(at: 8))) { try MemberlistCodec.decode(large) }
        let address: [UInt8] = [4, 0x81, 0xa4] + Array("Addr".utf8) + [0xa3, 1, 2, 3]
        #expect(throws: MembershipWireError.invalidField("Addr")) { try MemberlistCodec.decode(address) }
        let text: [UInt8] = [0, 0x81, 0xa4] + Array("Node".utf8) + [0xa1, 0xff]
        #expect(throws: MembershipWireError.malformed(.invalidText(at: 7))) { try MemberlistCodec.decode(text) }
    }

    @Test("20,000 mutated vectors are decoded or refused, and what is decoded can be encoded")
    func mutations() throws {
        var mutator = Mutator(seed: 20_240_607, samples: Vector.all.map(\.bytes).filter { $0.count < 2_000 })
        var decoded = 0
        for _ in 0..<20_000 {
            let bytes = mutator.next()
            if let message = try? MemberlistCodec.decode(bytes) {
                #expect(try MemberlistCodec.decode(MemberlistCodec.encode(message)) == message)
                decoded += 1
            }
            if let message = try? MemberlistCodec.decodeStream(bytes) {
                #expect(try MemberlistCodec.decodeStream(MemberlistCodec.encodeStream(message)) == message)
            }
        }
        #expect(decoded > 1_000)
    }
}
