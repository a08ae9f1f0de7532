import Keys
import Membership
import Transport

@testable import TransportUDP

extension FuzzTarget {
    static let udp = [
        FuzzTarget(name: "udp-packets", samples: { $0.packets() }, check: checkPacket),
        FuzzTarget(
            name: "udp-sealed-packets", samples: { random in sealedPackets.map(\.packet) + random.packets() },
            check: checkSealedPacket),
        FuzzTarget(name: "udp-exchange", samples: { $0.exchanges() }, check: ExchangeFuzz.checkClear),
        FuzzTarget(name: "udp-sealed-exchange", samples: { $0.sealedScripts() }, check: ExchangeFuzz.checkSealed),
    ]

    private static func checkPacket(_ input: [UInt8]) throws {
        let contents = PacketCodec.decode(input[...])
        let bytes = contents.parts.reduce(0) { $0 + $1.message.count }
        try require(bytes <= input.count, "\(bytes) bytes in parts")
        let count = contents.parts.count + contents.malformed + contents.unsupported
        try require(count <= PacketCodec.maxParts, "\(count) parts")
        guard !contents.parts.isEmpty else { return }
        let again = PacketCodec.decode(PacketCodec.encode(contents.parts.map(encoded))[...])
        try require(again.parts == contents.parts, "parts are read as others")
        try require(again.malformed + again.unsupported == 0, "an encoding is refused")
    }

    private static func encoded(_ part: PacketCodec.Part) -> [UInt8] {
        switch (part.channel, part.delivery) {
        case (.membership, _): Array(part.message)
        case (.replication, .unicast): [PacketCodec.Kind.unicast.rawValue] + part.message
        case (.replication, .broadcast(let reachedEveryone)):
            [(reachedEveryone ? PacketCodec.Kind.broadcastReachedEveryone : .broadcast).rawValue] + part.message
        }
    }

    private static let seal: PacketSeal? = (try? ClusterKey([UInt8](1...32))).map { PacketSeal($0) }

    private static let sealedPackets: [(content: [UInt8], packet: [UInt8])] = {
        guard let seal else { return [] }
        var random = RandomValues(seed: 1)
        return random.packets().map { content in
            let nonce = (0..<24).map { _ in UInt8(truncatingIfNeeded: random.int(256)) }
            return (content, seal.seal(content, nonce: nonce))
        }
    }()

    /// Only what was sealed comes out of the seal; without a key a packet is let through as it is or not at all.
    private static func checkSealedPacket(_ input: [UInt8]) throws {
        if case .content(let content) = PacketOpener(seal: seal).open(input[...]) {
            let isGenuine = sealedPackets.contains { $0.packet == input && $0.content[...] == content }
            try require(isGenuine, "something is opened that nobody sealed")
        }
        if case .content(let content) = PacketOpener(seal: nil).open(input[...]) {
            try require(content == input[...], "a clear packet is changed")
        }
    }
}

extension RandomValues {
    fileprivate mutating func packets() -> [[UInt8]] {
        (0..<200).map { _ in
            let parts = (0..<(1 + int(5))).map { _ -> [UInt8] in
                bool() ? MemberlistCodec.encode(message()) : [pick([0xd0, 0xd1, 0xd2])] + bytes(upTo: 60)
            }
            return PacketCodec.encode(parts)
        }
    }

    /// Role, size of a read, and what the other side says.
    fileprivate mutating func exchanges() -> [[UInt8]] {
        (0..<200).map { _ in
            let role = UInt8(int(3))
            var stream: [UInt8] = []
            switch role {
            case 0 where bool(): stream = [ExchangeSession.clearHello, 1, 1, 1]
            case 1: stream = [ExchangeSession.clearHello, 1]
            default: return [role, UInt8(int(256))] + memberlistStream()
            }
            if int(16) == 0 { stream = [ExchangeSession.refusal, UInt8(int(4))] }
            for _ in 0..<int(6) { stream += FrameWriter.clear.frame(bytes(upTo: int(8) == 0 ? 3_000 : 60)) }
            if bool() { stream += FrameWriter.clear.end() }
            return [role, UInt8(int(256))] + stream
        }
    }

    private mutating func memberlistStream() -> [UInt8] {
        (0..<(1 + int(4))).flatMap { _ in MemberlistCodec.encodeStream(streamMessage()) }
    }

    /// How many messages, their sizes, and zeros: nothing is changed on the way. See `ExchangeFuzz.checkSealed`.
    fileprivate mutating func sealedScripts() -> [[UInt8]] {
        (0..<100).map { _ in
            [UInt8(int(4))] + (0..<4).map { _ in UInt8(int(256)) } + [UInt8](repeating: 0, count: 24)
        }
    }
}
