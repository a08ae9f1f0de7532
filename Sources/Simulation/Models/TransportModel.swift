internal import Transport
internal import TransportKit
internal import TransportUDP
internal import TransportZMQ

/// Which transport a simulated cluster runs over.
package enum TransportKind: String, Sendable, CaseIterable {
    case udp
    case zmq
}

/// What a transport does with messages, without sockets: how it packs, queues and repeats them, with the real codecs.
/// What becomes of packets on their way is `World`'s.
protocol TransportModel: Sendable {
    /// Largest message of `send` and `broadcast`.
    var maxMessageBytes: Int { get }
    /// When `take` has something to give; `nil` for never.
    var nextDeadline: EngineInstant? { get }
    /// How full its queues are.
    var occupancy: [Occupancy] { get }
    mutating func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress)
    mutating func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions)
    mutating func setPeers(_ peers: [Peer])
    /// Packets that go out now.
    mutating func take(at now: EngineInstant) -> [ModelPacket]
    /// The messages of a packet that has arrived from `sender`; none when it cannot be read.
    mutating func receive(_ content: [UInt8], from sender: PeerAddress) -> [(channel: Channel, arrival: Arrival)]
}

/// One packet on its way.
struct ModelPacket: Sendable {
    var destination: PeerAddress
    var content: [UInt8]
}

/// Raw UDP: the real gossip and packet layout.
struct DatagramModel: TransportModel {
    private var gossip: Gossip

    init(seed: UInt64, relays: Bool) {
        var configuration = GossipConfiguration()
        // Nothing is ever repeated: each message goes out once, to those it is sent to directly.
        if !relays { configuration.transmitFactor = 0 }
        gossip = Gossip(configuration: configuration, seed: seed)
    }

    var maxMessageBytes: Int { gossip.maxMessageBytes }
    var nextDeadline: EngineInstant? { gossip.nextDeadline }
    var occupancy: [Occupancy] { gossip.occupancy }

    mutating func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        gossip.send(message, on: channel, to: peer)
    }

    mutating func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        gossip.broadcast(message, on: channel, options: options)
    }

    mutating func setPeers(_ peers: [Peer]) { gossip.setPeers(peers) }

    mutating func take(at now: EngineInstant) -> [ModelPacket] {
        gossip.nextPackets(at: now, limit: 64).map { ModelPacket(destination: $0.destination, content: $0.content) }
    }

    func receive(_ content: [UInt8], from sender: PeerAddress) -> [(channel: Channel, arrival: Arrival)] {
        PacketCodec.decode(content[...]).parts.map { part in
            (part.channel, Arrival(message: Array(part.message), sender: sender, delivery: part.delivery))
        }
    }
}

/// ZeroMQ: one hop, frames of the real layout over connections that break.
struct StreamModel: TransportModel {
    private static let maxFrameBytes = 64 * 1024
    /// Frames on their way to the sockets; they are taken at each turn.
    private static let maxOutgoing = 1 << 16

    private let stream: UInt64
    private var heads = StreamHeads()
    private var peers: [Peer] = []
    private var packers: PerChannel<BroadcastPacker>
    private var outgoing: [ModelPacket] = []
    private var followers: [PeerAddress: StreamFollower] = [:]
    /// Frames that a publisher sent and that never came.
    private(set) var lostCount = 0

    init(stream: UInt64) {
        self.stream = max(1, stream)
        packers = PerChannel {
            BroadcastPacker(
                channel: $0, version: ZMQTransport.versions.upperBound, stream: max(1, stream),
                maxFrameBytes: Self.maxFrameBytes)
        }
    }

    var maxMessageBytes: Int { BroadcastPacker.maxMessageBytes(in: Self.maxFrameBytes) }
    var nextDeadline: EngineInstant? { outgoing.isEmpty && packers.all.allSatisfy(\.isEmpty) ? nil : .zero }
    var occupancy: [Occupancy] { [Occupancy("frames waiting", outgoing.count, limit: Self.maxOutgoing)] }

    mutating func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        let frame = LinkMessage.unicast(channel, message: message).encoded()
        outgoing.append(ModelPacket(destination: peer, content: frame))
    }

    mutating func broadcast(_ message: [UInt8], on channel: Channel, options: BroadcastOptions) {
        if let frame = packers[channel].add(message, sequence: &heads[channel]) { publish(frame) }
    }

    mutating func setPeers(_ peers: [Peer]) { self.peers = peers }

    mutating func take(at now: EngineInstant) -> [ModelPacket] {
        for channel in Channel.allCases {
            if let frame = packers[channel].flush(sequence: &heads[channel]) { publish(frame) }
        }
        defer { outgoing = [] }
        return outgoing
    }

    mutating func receive(_ content: [UInt8], from sender: PeerAddress) -> [(channel: Channel, arrival: Arrival)] {
        // Links begin with types, broadcasts with channels; here one connection carries both.
        if content.first == 0x04 || content.first == nil {
            guard case .unicast(let channel, let message)? = try? LinkMessage.decode(content) else { return [] }
            return [(channel, Arrival(message: message, sender: sender, delivery: .unicast))]
        }
        guard let frame = try? BroadcastFrame.decode(content),
            case .messages(let channel, let sequence, let messages) = frame.content
        else { return [] }
        lostCount +=
            followers[sender, default: StreamFollower()].note(
                frame: sequence, channel: channel, stream: frame.stream)
        return messages.map { message in
            (
                channel,
                Arrival(message: message.bytes, sender: sender, delivery: .broadcast(reachedEveryone: true))
            )
        }
    }

    private mutating func publish(_ frame: [UInt8]) {
        for peer in peers { outgoing.append(ModelPacket(destination: peer.address, content: frame)) }
    }
}
