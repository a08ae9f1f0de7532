import Transport

@testable import TransportUDP

func peer(_ number: Int) -> PeerAddress { PeerAddress(host: .v4(0x0a00_0000 + UInt32(number)), port: 7_946) }

func gossip(peers: Int, configuration: GossipConfiguration = GossipConfiguration()) -> Gossip {
    var gossip = Gossip(configuration: configuration, seed: 1)
    gossip.setPeers((0..<peers).map { Peer(address: peer($0)) })
    return gossip
}

/// All packets that there are at `now`.
func drain(_ gossip: inout Gossip, at now: EngineInstant = .zero) -> [Gossip.Packet] {
    var all: [Gossip.Packet] = []
    while true {
        let packets = gossip.nextPackets(at: now, limit: 64)
        if packets.isEmpty { return all }
        all += packets
    }
}

func instant(_ milliseconds: Int) -> EngineInstant { .zero + .milliseconds(milliseconds) }
