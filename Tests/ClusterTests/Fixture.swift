import Membership
import Replication
import Testing
import Transport

@testable import Cluster

let peerAddress = PeerAddress(host: .v4(0x0a00_0002), port: 7_946)
let otherAddress = PeerAddress(host: .v4(0x0a00_0003), port: 7_946)

/// Expects a condition whose parts change values, which `#expect` cannot take apart.
func check(_ condition: Bool, _ comment: Comment? = nil, at location: SourceLocation = #_sourceLocation) {
    #expect(condition, comment, sourceLocation: location)
}

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

    private var moment: Moment { Moment(time: now, wallMilliseconds: wallMilliseconds, summary: summary) }

    @discardableResult
    mutating func feed(_ input: NodeCore.Input) -> [NodeCore.Effect] {
        effects = core.handle(input, at: moment)
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

    /// Begins with these seeds, and gives the exchange that dials each.
    mutating func dial(_ seeds: [PeerAddress]) -> [PeerAddress: ExchangeID] {
        var dials = feed(.begin(seeds: seeds.map { "\($0)" }, knownMembers: [])).dials
        for case .resolve(let seed) in effects {
            guard let address = PeerAddress(seed) else { continue }
            dials += core.handle(.resolved(seed, [address]), at: moment).dials
        }
        return Dictionary(dials.map { ($0.1, $0.0) }) { first, _ in first }
    }

    /// Begins with one seed, and gives the exchange that dials it.
    mutating func dialSeed() throws -> ExchangeID {
        guard let id = dial([peerAddress])[peerAddress] else { throw Missing() }
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
    var merges: [(ReplicationEngine.MergeToken, [EncodedRow])] {
        compactMap { if case .merge(let token, let rows) = $0 { (token, rows) } else { nil } }
    }
    var saves: Int { count { if case .saveMembers = $0 { true } else { false } } }
    var opensAPI: Bool { contains { if case .openAPI = $0 { true } else { false } } }
}
