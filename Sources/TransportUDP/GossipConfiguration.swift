import Transport

/// Numbers of the epidemic broadcast and its queues. The defaults suit a local network.
package struct GossipConfiguration: Hashable, Sendable {
    /// Bytes that one packet may hold before sealing: 1,400, less `PacketSeal.overheadBytes` where there is a key.
    package var packetContentBytes = PacketCodec.maxPacketBytes
    /// Up to this many peers a broadcast goes to every one at once. Default 30: a packet to each costs less than the
    /// rounds of an epidemic.
    package var directPeers = 30
    /// Fewest peers that a broadcast goes to at once when there are more. Default 4.
    package var minFanOut = 4
    /// News of living members that goes out at once in each `gossipInterval`, in clusters of more than `directPeers`; what
    /// is more shares the packets of the next round. Default 4. A thousand nodes that start together would send a packet for
    /// each member that each of them meets, to each of nine.
    package var maxPromptNews = 4
    /// Transmissions of one broadcast per power of ten of nodes: RetransmitMult of memberlist. Default 4.
    package var transmitFactor = 4
    /// Time between gossip rounds while something is queued: GossipInterval of memberlist. Default 200 ms.
    package var gossipInterval: Duration = .milliseconds(200)
    /// Peers per gossip round: GossipNodes of memberlist. Default 3.
    package var gossipPeers = 3
    /// Most packets to one peer in a gossip round, so that a burst does not linger for many rounds. Default 8.
    package var gossipPacketsPerPeer = 8
    /// Packets that one peer may get in a row before pacing sets in. Default 64: fits into the receive buffer of a
    /// system that gives no more than the 208 KiB default.
    package var burstPackets = 64
    /// Time between packets to one peer once the burst is used up. Default 20 µs: 50 packets each millisecond,
    /// 70 MB/s, more than half of a gigabit link, and some 300,000 messages of 200 bytes. One receiving core takes that from
    /// several senders at once.
    package var packetInterval: Duration = .microseconds(20)
    /// Pause before packets that pacing held back are tried again. Default 0.5 ms, so that they go out 25 at a time.
    package var pacingPause: Duration = .microseconds(500)
    /// Most bytes of membership messages waiting for particular peers, and again of those queued for repetition.
    /// Default 1 MiB: the news of 4,096 members.
    package var maxMembershipBytes = 1024 * 1024
    /// The same for replication. Default 8 MiB.
    package var maxReplicationBytes = 8 * 1024 * 1024
    /// Most peers; those beyond in the order of addresses are left out. Default 4,096.
    package var maxPeers = 4_096

    package init() {}

    /// The bound of one channel's queues.
    func maxBytes(for channel: Channel) -> Int { channel == .membership ? maxMembershipBytes : maxReplicationBytes }

    /// Faults by key; empty when the settings can be used.
    func faults() -> [String] {
        var faults: [String] = []
        let counts = [
            ("directPeers", directPeers), ("minFanOut", minFanOut), ("transmitFactor", transmitFactor),
            ("gossipPeers", gossipPeers), ("gossipPacketsPerPeer", gossipPacketsPerPeer),
            ("burstPackets", burstPackets), ("maxPromptNews", maxPromptNews), ("maxPeers", maxPeers),
        ]
        for (key, value) in counts where !(1...65_536).contains(value) {
            faults.append("gossip.\(key) is \(value), it must be between 1 and 65536")
        }
        for (key, value) in [("maxMembershipBytes", maxMembershipBytes), ("maxReplicationBytes", maxReplicationBytes)]
        where value < 64 * 1024 { faults.append("gossip.\(key) is \(value), it must be at least 65536") }
        if !(256...PacketCodec.maxPacketBytes).contains(packetContentBytes) {
            faults.append("gossip.packetContentBytes is \(packetContentBytes), it must be between 256 and 1400")
        }
        for (key, value) in [
            ("gossipInterval", gossipInterval), ("packetInterval", packetInterval), ("pacingPause", pacingPause),
        ] where value <= .zero { faults.append("gossip.\(key) must be positive") }
        return faults
    }
}
