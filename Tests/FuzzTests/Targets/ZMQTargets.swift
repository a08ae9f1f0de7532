import Transport

@testable import TransportZMQ

extension FuzzTarget {
    static let zmq = [
        FuzzTarget(
            name: "zmq-link", samples: { random in (0..<200).map { _ in random.linkMessage().encoded() } },
            check: { input in
                guard let message = try? LinkMessage.decode(input) else { return }
                let encoded = message.encoded()
                try require(encoded.count <= input.count, "\(input.count) bytes became \(encoded.count)")
                try require(try LinkMessage.decode(encoded) == message, "\(message) is read as another")
            }),
        FuzzTarget(name: "zmq-broadcast", samples: { $0.broadcastFrames() }, check: checkBroadcast),
        FuzzTarget(name: "zmq-follower", samples: { $0.followerScripts() }, check: checkFollower),
    ]

    private static func checkBroadcast(_ input: [UInt8]) throws {
        guard let frame = try? BroadcastFrame.decode(input) else { return }
        guard case .messages(let channel, let sequence, let messages) = frame.content else { return }
        let bytes = messages.reduce(0) { $0 + $1.bytes.count + 8 * $1.excluded.count }
        try require(bytes < input.count && !messages.isEmpty, "\(bytes) bytes in \(messages.count) messages")
        var packer = BroadcastPacker(
            channel: channel, version: ZMQTransport.versions.upperBound, stream: frame.stream,
            maxFrameBytes: input.count + 4_096)
        var number = sequence - 1
        for message in messages {
            let full = packer.add(message.bytes, excluding: message.excluded, sequence: &number)
            try require(full == nil, "the messages of one frame need two")
        }
        try require(packer.flush(sequence: &number) == input, "a frame has two forms")
    }

    /// A message or a beat, a channel, a stream of a few, and numbers.
    private static func checkFollower(_ input: [UInt8]) throws {
        var follower = StreamFollower()
        var script = ByteReader(input)
        while let kind = try? script.integer(UInt8.self), let stream = try? script.integer(UInt8.self),
            let first = try? script.integer(UInt64.self)
        {
            let lost: Int
            if kind % 4 == 0 {
                let second = (try? script.integer(UInt64.self)) ?? 0
                let heads = StreamHeads(membership: first, replication: second)
                lost = follower.noteBeat(stream: UInt64(stream % 3), heads: heads)
                try require(follower.noteBeat(stream: UInt64(stream % 3), heads: heads) == 0, "lost twice")
            } else {
                let channel: Channel = kind % 2 == 0 ? .membership : .replication
                lost = follower.note(frame: first, channel: channel, stream: UInt64(stream % 3))
                let again = follower.note(frame: first, channel: channel, stream: UInt64(stream % 3))
                try require(again == 0, "lost twice")
            }
            try require((0...(2 * StreamFollower.maxLostPerStep)).contains(lost), "\(lost) are lost")
        }
    }
}

extension RandomValues {
    private mutating func hello() -> Hello {
        let lowest = UInt8(1 + int(255))
        return Hello(
            versions: lowest...UInt8(Int(lowest) + int(256 - Int(lowest))), stream: max(1, number()), port: number(),
            publishPort: number(), publishHost: maybe(address().host))
    }

    fileprivate mutating func linkMessage() -> LinkMessage {
        switch int(13) {
        case 0: .hello(hello())
        case 1: .welcome(hello())
        case 2: .refusal(versions: hello().versions)
        case 3: .unicast(pick(Channel.allCases), message: bytes(upTo: 100))
        case 4: pick([.subscribed, .ping])
        case 5: .arrived(bytes: number())
        case 6: .open(exchange: number(), pick(Channel.allCases))
        case 7: .accepted(exchange: number())
        case 8: .reset(exchange: number(), pick([.busy, .closed]))
        case 9: .data(exchange: number(), endsMessage: bool(), bytes: bytes(upTo: 200))
        case 10: .credit(exchange: number(), bytes: number())
        case 11: .unicasts(pick(Channel.allCases), messages: (0..<(2 + int(5))).map { _ in bytes(upTo: 60) })
        default: .end(exchange: number())
        }
    }

    fileprivate mutating func broadcastFrames() -> [[UInt8]] {
        (0..<200).map { _ in
            let stream = max(1, number(UInt64.self))
            guard int(8) > 0 else {
                let heads = StreamHeads(membership: number(), replication: number())
                return BroadcastFrame.beat(version: ZMQTransport.versions.upperBound, stream: stream, heads: heads)
            }
            var sequence = number(UInt64.self) >> 1
            var packer = BroadcastPacker(
                channel: pick(Channel.allCases), version: ZMQTransport.versions.upperBound, stream: stream,
                maxFrameBytes: 16_384)
            for _ in 0..<(1 + int(5)) {
                let excluded = (0..<(int(3) == 0 ? int(30) : 0)).map { _ in number(UInt64.self) }
                _ = packer.add(bytes(upTo: 100), excluding: excluded, sequence: &sequence)
            }
            return packer.flush(sequence: &sequence) ?? []
        }
    }

    fileprivate mutating func followerScripts() -> [[UInt8]] {
        (0..<100).map { _ in
            var script: [UInt8] = []
            for _ in 0..<int(12) {
                let kind = UInt8(int(4))
                script += [kind, UInt8(int(3))]
                for _ in 0..<(kind == 0 ? 2 : 1) { script.append(bigEndian: number(UInt64.self)) }
            }
            return script
        }
    }
}
