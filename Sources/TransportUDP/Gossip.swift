internal import DequeModule
internal import Glibc
package import Transport
import TransportKit

/// Who gets which message in which packet: epidemic broadcast with piggybacking (SWIM §4.1, numbers as memberlist),
/// unicasts, packing and pacing, without I/O.
///
/// A plain value: hand messages in, then take packets with `nextPackets` until it gives none, and again no later than
/// `nextDeadline`. Same seed and inputs, same packets. The packets are in clear; sealing is the caller's.
package struct Gossip: Sendable {
    /// One packet to one peer.
    package struct Packet: Hashable, Sendable {
        package var destination: PeerAddress
        package var content: [UInt8]
    }

    struct Destination: Sendable {
        /// `nil` where the address is not a peer: it gets what is sent to it and nothing more.
        var channels: Channels?
        var waiting = PerChannel<Deque<Int>>(repeating: [])
        /// When the next packet would be due if all were evenly spaced; see `isPaced`.
        var nextDue = EngineInstant.zero
        var isActive = false
        /// The last packet had no room for replication although some waited: it goes first in the next.
        var owesReplication = false

        func hasWaiting(_ channel: Channel) -> Bool { !waiting[channel].isEmpty }
        var isIdle: Bool { waiting.membership.isEmpty && waiting.replication.isEmpty }
    }

    /// Most addresses remembered that are not peers; what is sent to more of them is dropped.
    static let maxStrangers = 4_096

    let configuration: GossipConfiguration
    private var generator: SeededGenerator
    var destinations: [PeerAddress: Destination] = [:]
    /// Peers by channel, in an order that sampling shuffles.
    var peers = PerChannel<[PeerAddress]>(repeating: [])
    /// Peers of either channel: all are in `destinations`.
    var peerAddressCount = 0
    var waitingParts: PerChannel<WaitingParts>
    var queues: PerChannel<BroadcastQueue>
    /// Destinations with something waiting, in turn.
    var active = Deque<PeerAddress>()
    var ready = Deque<Packet>()
    var nextRound: EngineInstant?
    var heldBackUntil: EngineInstant?
    /// News of members that may still go out at once until `promptNewsEnd`.
    var promptNewsLeft: Int
    var promptNewsEnd = EngineInstant.zero
    /// Messages put into packets, by channel.
    private(set) var sent = PerChannel(repeating: TransportStats.Traffic())
    private var drops: [DropCause: Int] = [:]
    private var countedDrops = 0

    /// `configuration` must have no faults.
    package init(configuration: GossipConfiguration = GossipConfiguration(), seed: UInt64) {
        self.configuration = configuration
        generator = SeededGenerator(seed: seed)
        promptNewsLeft = configuration.maxPromptNews
        waitingParts = PerChannel { WaitingParts(maxBytes: configuration.maxBytes(for: $0)) }
        queues = PerChannel { BroadcastQueue(maxBytes: configuration.maxBytes(for: $0)) }
    }

    /// Largest message that `send` and `broadcast` take: what fits into a packet of its own with its type byte.
    package var maxMessageBytes: Int { configuration.packetContentBytes - 1 }

    /// Peers that understand `channel`.
    package func peerCount(on channel: Channel) -> Int { peers[channel].count }

    /// Broadcasts of `channel` that are still to be repeated.
    package func queuedCount(on channel: Channel) -> Int { queues[channel].count }

    /// How full the queues are, in bytes.
    package var occupancy: [Occupancy] {
        Channel.allCases.flatMap { channel in
            let limit = configuration.maxBytes(for: channel)
            return [
                Occupancy("bytes of \(channel) waiting", waitingParts[channel].bytes, limit: limit),
                Occupancy("bytes of \(channel) to repeat", queues[channel].bytes, limit: limit),
            ]
        } + [Occupancy("strangers", strangerCount, limit: Self.maxStrangers)]
    }

    /// What waits for particular peers: the deliveries that are left, and the bytes that are held for them.
    package func waiting(on channel: Channel) -> TransportStats.Traffic {
        let parts = waitingParts[channel]
        return .init(messages: parts.deliveries, bytes: parts.bytes)
    }

    /// Whether messages handed in still wait for their first packet. Queued repetitions do not count, nor does what a storm
    /// leaves to them.
    package var hasWaiting: Bool { !active.isEmpty || !ready.isEmpty }

    /// Earliest instant at which `nextPackets` has something to give; `nil` when nothing is pending.
    package var nextDeadline: EngineInstant? {
        if !ready.isEmpty || (!active.isEmpty && heldBackUntil == nil) { return .zero }
        return [nextRound, heldBackUntil].compactMap { $0 }.min()
    }

    /// A part has its place in a packet. One of replication begins with a type byte that is not the message's.
    mutating func noteSent(_ part: [UInt8], on channel: Channel) {
        sent[channel].add(bytes: channel == .replication ? part.count - 1 : part.count)
    }

    /// Messages dropped since the last call, by cause.
    package mutating func takeDrops() -> [DropCause: Int] {
        let total = waitingParts.all.reduce(0) { $0 + $1.droppedCount } + queues.all.reduce(0) { $0 + $1.droppedCount }
        if total > countedDrops { drops[.sendQueueFull, default: 0] += total - countedDrops }
        countedDrops = total
        defer { drops = [:] }
        return drops
    }
}

// MARK: Handing in

extension Gossip {
    /// Replaces the list of peers. What already waits for one that is gone is still sent.
    package mutating func setPeers(_ list: [Peer]) {
        var told: [PeerAddress: Channels] = Dictionary(minimumCapacity: list.count)
        for peer in list { told[peer.address, default: []].formUnion(peer.channels) }
        if told.count > configuration.maxPeers {
            let kept = Set(told.keys.sorted().prefix(configuration.maxPeers))
            told = told.filter { kept.contains($0.key) }
        }
        // In a large cluster one comes or goes at a time: only what differs is touched, in an order that follows from
        // the addresses.
        let changed = told.filter { destinations[$0.key]?.channels != $0.value }.keys.sorted()
        let known = changed.count { destinations[$0]?.channels != nil }
        let hasLost = told.count < peerAddressCount + changed.count - known
        if known > 0 || hasLost {
            for address in destinations.keys where destinations[address]?.channels != told[address] {
                destinations[address]?.channels = nil
            }
            for channel in Channel.allCases {
                peers[channel].removeAll { destinations[$0]?.channels == nil }
            }
        }
        for address in changed {
            guard let channels = told[address] else { continue }
            destinations[address, default: Destination()].channels = channels
            for channel in Channel.allCases where channels.has(channel) { peers[channel].append(address) }
        }
        peerAddressCount = told.count
        if hasLost { forgetIdleStrangers(keeping: 0) }
    }

    /// Sends one message to one address, which need not be a peer. A peer that does not understand `channel` gets
    /// nothing.
    package mutating func send(_ message: [UInt8], on channel: Channel, to peer: PeerAddress) {
        guard let part = part(message, on: channel, kind: .unicast) else { return }
        if let channels = destinations[peer]?.channels, !channels.has(channel) {
            drops[.unsupported, default: 0] += 1
            return
        }
        // Whoever floods from many addresses gets no answers, rather than all of the memory.
        guard destinations[peer] != nil || strangerCount < Self.maxStrangers else {
            drops[.sendQueueFull, default: 0] += 1
            return
        }
        enqueue(part, on: channel, key: nil, isRepeated: false, to: [peer])
    }

    /// Sends one message to every peer that understands `channel`, or to some and leaves the rest to them; see
    /// `GossipConfiguration`.
    package mutating func broadcast(
        _ message: [UInt8], on channel: Channel, options: BroadcastOptions
    ) {
        let peerCount = peerCount(on: channel)
        let targets = targets(on: channel, skipping: options.skipping)
        // Whoever is skipped has it already, so that all have it when all others are targets.
        let reachesEveryone = targets.count >= peers[channel].count - skippedCount(channel, options.skipping)
        guard
            let part = part(message, on: channel, kind: reachesEveryone ? .broadcastReachedEveryone : .broadcast)
        else { return }
        if let key = options.replacing {
            waitingParts[channel].removeReplaced(by: key)
            queues[channel].removeReplaced(by: key)
        }
        guard !targets.isEmpty else { return }
        guard !options.isRepeated || !isStorm(message, on: channel) else {
            // No packet of its own: the round that is due now, or others before it, take it.
            queues[channel].add(part, key: options.replacing, transmits: 0)
            if nextRound == nil { nextRound = .zero }
            return
        }
        // It is queued for repetition when the last of these packets is made, so that none of them carries it twice.
        let isRepeated = options.isRepeated && targets.count < transmitLimit(peerCount: peerCount)
        enqueue(part, on: channel, key: options.replacing, isRepeated: isRepeated, to: targets)
    }

    /// How often one broadcast is sent: memberlist's limit, 4 x ceil(log10(N + 1)), for N nodes with ourselves.
    package func transmitLimit(nodeCount: Int) -> Int {
        configuration.transmitFactor * Int(log10(Double(nodeCount + 1)).rounded(.up))
    }

    /// So many were said to be alive lately that more of it shares the packets of the next round, instead of having packets
    /// of its own.
    private mutating func isStorm(_ message: [UInt8], on channel: Channel) -> Bool {
        guard channel == .membership, message.first == PacketCodec.aliveType,
            peerCount(on: channel) > configuration.directPeers
        else { return false }
        guard promptNewsLeft > 0 else { return true }
        promptNewsLeft -= 1
        return false
    }

    func transmitLimit(peerCount: Int) -> Int { transmitLimit(nodeCount: peerCount + 1) }

    /// To how many peers a broadcast goes at once.
    package func fanOut(peerCount: Int) -> Int {
        if peerCount <= configuration.directPeers { return peerCount }
        return min(peerCount, max(configuration.minFanOut, Int(log(Double(peerCount)).rounded(.up)) + 2))
    }

    private mutating func targets(on channel: Channel, skipping: [PeerAddress]) -> [PeerAddress] {
        let count = peerCount(on: channel)
        if count > configuration.directPeers {
            return sample(fanOut(peerCount: count), on: channel, skipping: skipping)
        }
        return skipping.isEmpty ? peers[channel] : peers[channel].filter { !skipping.contains($0) }
    }

    private func skippedCount(_ channel: Channel, _ skipping: [PeerAddress]) -> Int {
        Set(skipping).count { destinations[$0]?.channels?.has(channel) ?? false }
    }

    /// The part for `message`, or `nil` (counted) when it cannot travel.
    private mutating func part(_ message: [UInt8], on channel: Channel, kind: PacketCodec.Kind) -> [UInt8]? {
        guard message.count <= maxMessageBytes else {
            drops[.tooLarge, default: 0] += 1
            return nil
        }
        switch channel {
        case .membership:
            guard PacketCodec.isMembershipMessage(message[...]) else {
                drops[.unsupported, default: 0] += 1
                return nil
            }
            return message
        case .replication:
            var part: [UInt8] = []
            part.reserveCapacity(message.count + 1)
            part.append(kind.rawValue)
            part += message
            return part
        }
    }

    private mutating func enqueue(
        _ part: [UInt8], on channel: Channel, key: String?, isRepeated: Bool, to targets: [PeerAddress]
    ) {
        let number = waitingParts[channel].add(
            part, key: key, readers: targets.count, isRepeated: isRepeated)
        for address in targets {
            destinations[address, default: Destination()].waiting[channel].append(number)
            if destinations[address]?.isActive == false {
                destinations[address]?.isActive = true
                active.append(address)
                heldBackUntil = nil
            }
        }
    }

    /// `count` random peers of `channel`, none of them in `skipping`.
    mutating func sample(_ count: Int, on channel: Channel, skipping: [PeerAddress]) -> [PeerAddress] {
        let total = peers[channel].count
        var chosen: [PeerAddress] = []
        for position in 0..<total {
            if chosen.count == count { break }
            peers[channel].swapAt(position, Int.random(in: position..<total, using: &generator))
            let address = peers[channel][position]
            if !skipping.contains(address) { chosen.append(address) }
        }
        return chosen
    }
}
