import Membership
import Transport

typealias Effect = MembershipEngine.Effect

/// 10.0.0.0 plus `number`, port 7946.
func address(_ number: UInt32) -> PeerAddress { PeerAddress(host: .v4(0x0a00_0000 + number), port: 7946) }

/// Where the tests put the member of that one-letter name: "a" at 10.0.0.1.
func address(of name: String) -> PeerAddress { address(UInt32(name.utf8.first ?? 0) - 96) }

func nodeID(of name: String) -> NodeID { NodeID(UInt64(name.utf8.first ?? 0)) }

func local(
    _ name: String, id: NodeID? = nil, at place: PeerAddress? = nil, tags: MemberTags = MemberTags()
) -> LocalMember {
    do {
        return try LocalMember(
            name: name, nodeID: id ?? nodeID(of: name), address: place ?? address(of: name), tags: tags)
    } catch {
        fatalError("\(error)")
    }
}

func alive(
    _ name: String, incarnation: UInt32 = 1, id: NodeID? = nil, at place: PeerAddress? = nil,
    tags: MemberTags = MemberTags()
) -> AliveBody {
    AliveBody(
        incarnation: incarnation, node: name, address: place ?? address(of: name),
        meta: local(name, id: id, at: place, tags: tags).meta)
}

func accusation(_ name: String, incarnation: UInt32 = 1, from: String) -> AccusationBody {
    AccusationBody(incarnation: incarnation, node: name, from: from)
}

func milliseconds(_ count: UInt64) -> EngineInstant { EngineInstant(nanoseconds: count * 1_000_000) }

extension MembershipEngine {
    /// The engine of "a", in a cluster with `others`, which are all alive and confirmed.
    static func joined(
        _ others: [String], configuration: MembershipConfiguration = MembershipConfiguration(), seed: UInt64 = 1
    ) -> MembershipEngine {
        MembershipEngine(
            configuration: configuration, local: localNamed("a"), joinedWith: others.map { alive($0) }, seed: seed)
    }

    static func alone(
        _ name: String = "a", configuration: MembershipConfiguration = MembershipConfiguration(), seed: UInt64 = 1
    ) -> Self {
        MembershipEngine(configuration: configuration, local: localNamed(name), seed: seed)
    }

    /// Advances deadline by deadline up to `end`; `respond` may answer each effect with inputs.
    mutating func run(
        to end: EngineInstant, respond: (Effect, inout MembershipEngine, EngineInstant) -> [Effect] = { _, _, _ in [] }
    ) -> [(at: EngineInstant, effect: Effect)] {
        var trace: [(at: EngineInstant, effect: Effect)] = []
        while let next = nextDeadline, next <= end {
            var pending = advance(to: next)
            while !pending.isEmpty {
                let effect = pending.removeFirst()
                trace.append((next, effect))
                pending += respond(effect, &self, next)
            }
        }
        return trace
    }

    func status(of name: String) -> MemberStatus? { member(named: name)?.status }
}

private func localNamed(_ name: String) -> LocalMember { local(name) }

extension Sequence<Effect> {
    var events: [MembershipEvent] { compactMap { if case .emit(let event) = $0 { event } else { nil } } }
    var broadcasts: [MembershipMessage] {
        compactMap { if case .broadcast(let message, _) = $0 { message } else { nil } }
    }
    var sends: [(message: MembershipMessage, to: PeerAddress)] {
        compactMap { if case .send(let message, let peer) = $0 { (message, peer) } else { nil } }
    }
    var pings: [(body: PingBody, to: PeerAddress)] {
        sends.compactMap { if case .ping(let body) = $0.message { (body, $0.to) } else { nil } }
    }
    var pushPulls: [PeerAddress] { compactMap { if case .pushPull(let peer, _) = $0 { peer } else { nil } } }
}

/// Answers every ping except those to `silent`, as a network without loss or delay would.
func answering(
    except silent: Set<String> = []
) -> (Effect, inout MembershipEngine, EngineInstant) -> [Effect] {
    { effect, engine, now in
        guard case .send(.ping(let ping), let peer) = effect, !silent.contains(ping.node) else { return [] }
        return engine.receive(.ack(AckBody(sequence: ping.sequence)), from: peer, at: now)
    }
}
