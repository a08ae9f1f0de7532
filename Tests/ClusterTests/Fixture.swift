import Membership
import Replication
import Transport

@testable import Cluster

let peerAddress = PeerAddress(host: .v4(0x0a00_0002), port: 7_946)
let otherAddress = PeerAddress(host: .v4(0x0a00_0003), port: 7_946)

/// A core under test: the time, the inputs, and the effects of the last input.
struct TestedCore {
    var core: NodeCore
    var now = EngineInstant.zero
    var wallMilliseconds: Int64 = 1_700_000_000_000
    var summary = TreeSummary.empty
    private(set) var effects: [NodeCore.Effect] = []

    init(_ configure: (inout ReplicationConfiguration) -> Void = { _ in }) throws {
        var replication = ReplicationConfiguration()
        configure(&replication)
        core = NodeCore(
            try Self.local(1, at: PeerAddress(host: .v4(0x0a00_0001), port: 7_946)), start: 1,
            replication: replication, seed: (1, 2))
    }

    static func local(_ number: UInt64, at address: PeerAddress) throws -> LocalMember {
        try LocalMember(name: "node-\(number)", nodeID: NodeID(number), address: address, tags: .node)
    }

    @discardableResult
    mutating func feed(_ input: NodeCore.Input) -> [NodeCore.Effect] {
        effects = core.handle(
            input, at: Moment(time: now, wallMilliseconds: wallMilliseconds, summary: summary))
        return effects
    }

    /// Goes on to the core's deadlines until `time` has passed; gives all effects.
    @discardableResult
    mutating func pass(_ time: Duration) -> [NodeCore.Effect] {
        let end = now + time
        var all: [NodeCore.Effect] = []
        while core.nextDeadline <= end {
            now = max(now, core.nextDeadline)
            all += feed(.tick)
        }
        now = end
        effects = all
        return all
    }

    /// Dials a seed, and gives the exchange.
    mutating func dialSeed() throws -> ExchangeID {
        feed(.begin(seeds: ["10.0.0.2:7946"], knownMembers: []))
        if effects.dials.isEmpty { feed(.resolved("10.0.0.2:7946", [peerAddress])) }
        guard let (id, address) = effects.dials.first, address == peerAddress else { throw Missing() }
        return id
    }

    /// Joins the node at `peerAddress`, whose state names no others.
    mutating func join() throws {
        let id = try dialSeed()
        feed(.exchange(id, .opened))
        feed(.exchange(id, .received(try Self.state(of: 2, at: peerAddress))))
        feed(.exchange(id, .ended(nil)))
    }

    /// What a node of that number says of itself in a push/pull.
    static func state(of number: UInt64, at address: PeerAddress, isJoin: Bool = false) throws -> [UInt8] {
        let engine = MembershipEngine(local: try local(number, at: address), seed: number)
        return MemberlistCodec.encodeStream(.pushPull(engine.localState(isJoin: isJoin)))
    }

    struct Missing: Error {}
}

extension [NodeCore.Effect] {
    var dials: [(ExchangeID, PeerAddress)] {
        compactMap { if case .dial(let id, let peer) = $0 { (id, peer) } else { nil } }
    }
    var steps: [(ExchangeID, ExchangeStep)] {
        compactMap { if case .exchange(let id, let step) = $0 { (id, step) } else { nil } }
    }
    var abandoned: [ExchangeID] { compactMap { if case .abandon(let id) = $0 { id } else { nil } } }
    var events: [NodeEvent] { compactMap { if case .emit(let event) = $0 { event } else { nil } } }
    var peerLists: [[Peer]] { compactMap { if case .setPeers(let peers) = $0 { peers } else { nil } } }
    var merges: [(ReplicationEngine.MergeToken, [EncodedRow], HybridTime)] {
        compactMap { if case .merge(let token, let rows, let latest) = $0 { (token, rows, latest) } else { nil } }
    }
    var saves: Int { count { if case .saveMembers = $0 { true } else { false } } }
    var opensAPI: Bool { contains { if case .openAPI = $0 { true } else { false } } }
}
