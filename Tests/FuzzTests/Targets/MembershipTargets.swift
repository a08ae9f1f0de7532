import Membership
import Transport

extension FuzzTarget {
    static let membership = [
        messagePack,
        FuzzTarget(
            name: "memberlist", samples: { random in (0..<300).map { _ in MemberlistCodec.encode(random.message()) } },
            check: checkDatagram),
        FuzzTarget(
            name: "memberlist-stream",
            samples: { random in (0..<300).map { _ in MemberlistCodec.encodeStream(random.streamMessage()) } },
            check: checkStream),
        FuzzTarget(
            name: "member-tags",
            samples: { random in try (0..<200).map { _ in try random.tags().meta() } },
            check: { input in
                guard let tags = MemberTags(meta: input) else { return }
                // A foreign dialect may take fewer bytes than ours for the same.
                guard let meta = try? tags.meta() else { return }
                try require(MemberTags(meta: meta) == tags, "tags are read as others")
                _ = tags.nodeID
            }),
        FuzzTarget(
            name: "membership-engine", samples: { random in (0..<100).map { _ in random.membershipScript() } },
            check: checkEngine),
    ]

    private static func checkDatagram(_ input: [UInt8]) throws {
        guard let message = try? MemberlistCodec.decode(input) else { return }
        let encoded = MemberlistCodec.encode(message)
        try require(encoded.count <= 8 * input.count + 256, "\(input.count) bytes became \(encoded.count)")
        try require(try MemberlistCodec.decode(encoded) == message, "a message is read as another")
    }

    private static func checkStream(_ input: [UInt8]) throws {
        let end = MemberlistCodec.streamEnd(input[...])
        let message = try? MemberlistCodec.decodeStream(input)
        guard case .complete(let count) = end else {
            try require(message == nil, "a message is read from a stream that is \(end)")
            return
        }
        try require((1...input.count).contains(count), "a message of \(count) bytes")
        try require(MemberlistCodec.streamEnd(input[..<count]) == .complete(count), "a message ends in two places")
        for part in [1, count / 2, count - 1] where part > 0 && part < count {
            try require(
                MemberlistCodec.streamEnd(input[..<part]) == .needsMore, "\(part) bytes of a message are refused")
        }
        guard let message else { return }
        try require(
            try MemberlistCodec.decodeStream(Array(input[..<count])) == message, "what follows changes a message")
        let encoded = MemberlistCodec.encodeStream(message)
        try require(encoded.count <= 8 * count + 256, "\(count) bytes became \(encoded.count)")
        try require(try MemberlistCodec.decodeStream(encoded) == message, "a message is read as another")
        try require(MemberlistCodec.streamEnd(encoded[...]) == .complete(encoded.count), "an encoding has another end")
    }

    /// The script: length u16 and message, again and again; what is read is handed to an engine with some members.
    private static func checkEngine(_ input: [UInt8]) throws {
        var engine = MembershipEngine(local: RandomValues.localMember, seed: 1)
        var reader = ByteReader(input)
        var now = EngineInstant.zero
        while let length = try? reader.integer(UInt16.self) {
            let bytes = Array((try? reader.slice(Int(length))) ?? reader.rest)
            now = now + .milliseconds(Int64(length % 700))
            let peer = PeerAddress(host: .v4(0x0a00_0002 + UInt32(length % 3)), port: 7946)
            var effects = engine.advance(to: now)
            if let message = try? MemberlistCodec.decode(bytes) {
                effects += engine.receive(message, from: peer, at: now)
            } else if case .pushPull(let list)? = try? MemberlistCodec.decodeStream(bytes) {
                effects += engine.merge(list, from: peer, weDialled: length % 2 == 0, at: now)
            }
            for case .send(let message, _) in effects {
                try require(MemberlistCodec.encode(message).count < 2_000, "\(message) is sent")
            }
            try require(engine.members.count < 200, "\(engine.members.count) members")
            if reader.isAtEnd { break }
        }
        _ = engine.advance(to: now + .seconds(60))
    }
}

extension RandomValues {
    static let localMember: LocalMember = {
        do {
            return try LocalMember(
                name: "a", nodeID: NodeID(1), address: PeerAddress(host: .v4(0x0a00_0001), port: 7946))
        } catch {
            fatalError("\(error)")
        }
    }()

    fileprivate mutating func member() -> AliveBody {
        AliveBody(
            incarnation: number(), node: name(), address: address(), meta: maybe((try? tags().meta()) ?? []),
            versions: pick([ProtocolVersions.current.bytes, bytes(upTo: 6)]))
    }

    fileprivate mutating func accusation() -> AccusationBody {
        AccusationBody(incarnation: number(), node: name(), from: name())
    }

    mutating func message() -> MembershipMessage {
        switch int(8) {
        case 0: .ping(PingBody(sequence: number(), node: name(), source: maybe(address()), sourceNode: name()))
        case 1:
            .indirectPing(
                IndirectPingBody(
                    sequence: number(), target: address(), node: name(), wantsNack: bool(), source: maybe(address()),
                    sourceNode: name()))
        case 2: .ack(AckBody(sequence: number(), payload: maybe(bytes(upTo: 40))))
        case 3: .nack(NackBody(sequence: number()))
        case 4: .suspect(accusation())
        case 5: .alive(member())
        case 6: .dead(accusation())
        default: .user(bytes(upTo: 60))
        }
    }

    mutating func streamMessage() -> MembershipMessage {
        switch int(6) {
        case 0: .ping(PingBody(sequence: number(), node: name(), source: maybe(address()), sourceNode: name()))
        case 1: .ack(AckBody(sequence: number(), payload: maybe(bytes(upTo: 40))))
        case 2: .error(text(upTo: 60))
        case 3: .user(bytes(upTo: 300))
        default:
            .pushPull(
                PushPull(
                    isJoin: bool(),
                    nodes: (0..<int(6)).map { _ in
                        PushPullNode(member: member(), state: pick([.alive, .suspect, .dead, .left]))
                    }, userState: bytes(upTo: 30)))
        }
    }

    fileprivate mutating func membershipScript() -> [UInt8] {
        var script: [UInt8] = []
        for _ in 0..<(1 + int(8)) {
            let message =
                int(4) == 0 ? MemberlistCodec.encodeStream(streamMessage()) : MemberlistCodec.encode(message())
            script.append(bigEndian: UInt16(message.count))
            script += message
        }
        return script
    }
}
