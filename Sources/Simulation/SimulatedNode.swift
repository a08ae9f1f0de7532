internal import Membership
internal import Replication
internal import Transport

/// One node: a machine with a clock and a database that outlive its processes.
final class SimulatedNode {
    let index: Int
    let name: String
    let address: PeerAddress
    /// The id in its database; another where the database was replaced.
    var nodeID: NodeID
    var replica: MemoryReplica
    var knownMembers: [KnownMember] = []
    var clock = NodeClock()
    var disk = SimulatedDisk()
    /// It runs on a copy of another node's database.
    var isCopy = false
    /// `nil` while no process runs.
    var process: SimulatedProcess?
    /// Processes so far: what was meant for an earlier one does not reach the next.
    var epoch = 0
    /// Until when it may not be called faulty for being seen as failed, or for seeing others so.
    var troubledUntil = EngineInstant.zero

    init(index: Int, nodeID: NodeID) {
        self.index = index
        self.nodeID = nodeID
        name = "node-\(index)"
        address = Self.address(index)
        replica = MemoryReplica(nodeID: nodeID)
    }

    static func address(_ index: Int) -> PeerAddress {
        PeerAddress(host: .v4(0x0a00_0001 + UInt32(index)), port: 7_946)
    }

    /// The node behind an address.
    static func index(_ address: PeerAddress) -> Int? {
        guard case .v4(let host) = address.host, host > 0x0a00_0000 else { return nil }
        return Int(host) - 0x0a00_0001
    }
}

/// What a running process holds and loses when it dies.
struct SimulatedProcess {
    var membership: MembershipEngine
    var replication: ReplicationEngine
    var transport: any TransportModel
    /// Until when it stands still.
    var pausedUntil: EngineInstant?
    /// What arrived meanwhile, in order.
    var unread: [World.Event] = []
    /// The next wake that is planned.
    var wakeAt: EngineInstant?
    var servedWalks = 0
    var startedAt: EngineInstant
    var isPaused: Bool { pausedUntil != nil }

    var nextDeadline: EngineInstant? {
        [replication.nextDeadline, membership.nextDeadline, transport.nextDeadline].compactMap { $0 }.min()
    }
}

/// The disk under one node's database: commits one after the other, several writes in one commit.
struct SimulatedDisk {
    /// What a commit is made of.
    enum Work {
        case write(ClientWrite)
        case merge(ReplicationEngine.MergeToken, [Row])
        /// Rows that a walk has brought.
        case walkMerge(exchange: Int, side: Int, [Row])
    }

    /// Works that wait for the next commit. Merges wait for their callers, so that there are few; writes are bounded by
    /// the clients, each of which waits for its answer.
    var queue: [Work] = []
    /// The commit under way.
    var batch: [Work]?
    var isFull = false
    var slowUntil = EngineInstant.zero
}

/// A write that a client has asked for.
struct ClientWrite: Sendable {
    var key: ByteString
    var kind: WriteKind
}
