import Membership
import Simulation
import Replication
import TestSupport
import Transport
import TransportUDP

/// One node in virtual time: the real engines and the real gossip, over a replica in memory that outlives a crash.
struct VirtualNode {
    let index: Int
    var replica: MemoryReplica
    var membership: MembershipEngine
    var replication: ReplicationEngine
    var gossip: Gossip
    var isRunning = true
    /// Arrivals that wait until the node goes on.
    var isPaused = false
    var unread: [(from: Int, packet: [UInt8])] = []
    var wakeAt: EngineInstant?
    /// Where broadcasts of a peer reach this node only some time after it is known: from when on they do.
    var hearsFrom: [Int: EngineInstant] = [:]
    /// How far this node's wall clock is off.
    var clockOffset: Int64 = 0
    private let start: UInt64

    init(
        index: Int, replica: MemoryReplica? = nil, configuration: ReplicationConfiguration, start: UInt64, seed: UInt64,
        at now: EngineInstant
    ) throws {
        self.index = index
        self.start = start
        let nodeID = NodeID(UInt64(index + 1))
        self.replica = replica ?? MemoryReplica(nodeID: nodeID)
        let tags = MemberTags([MemberTags.Key.channels: "mr"])
        let local = try LocalMember(name: Self.name(index), nodeID: nodeID, address: Self.address(index), tags: tags)
        membership = MembershipEngine(local: local, seed: seed, at: now)
        replication = ReplicationEngine(configuration: configuration, nodeID: nodeID, start: start, seed: seed ^ 1)
        gossip = Gossip(seed: seed ^ 2)
    }

    static func name(_ index: Int) -> String { "node-\(index)" }

    static func address(_ index: Int) -> PeerAddress {
        PeerAddress(host: .v4(0x0a00_0001 + UInt32(index)), port: 7_946)
    }

    /// The node behind an address.
    static func index(_ address: PeerAddress) -> Int? {
        guard case .v4(let host) = address.host, host > 0x0a00_0000 else { return nil }
        return Int(host) - 0x0a00_0001
    }

    var nextDeadline: EngineInstant {
        var earliest = replication.nextDeadline
        if let deadline = membership.nextDeadline { earliest = min(earliest, deadline) }
        if let deadline = gossip.nextDeadline { earliest = min(earliest, deadline) }
        return earliest
    }
}
