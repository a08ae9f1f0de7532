@testable import Replication
import TestSupport
import Transport

/// An engine and the summary of a store beside it, which is what the tests say it is.
@dynamicMemberLookup
struct TestedEngine {
    typealias Effect = ReplicationEngine.Effect

    var engine: ReplicationEngine
    var summary = TreeSummary.empty

    init(configuration: ReplicationConfiguration = .init(), nodeID: NodeID, start: UInt64 = 1, seed: UInt64 = 1) {
        engine = ReplicationEngine(configuration: configuration, nodeID: nodeID, start: start, seed: seed)
    }

    subscript<Value>(dynamicMember path: KeyPath<ReplicationEngine, Value>) -> Value { engine[keyPath: path] }

    mutating func open(isSynced: Bool, at now: EngineInstant) -> [Effect] {
        engine.open(isSynced: isSynced, summary: summary, at: now)
    }

    mutating func beginFirstSync(at now: EngineInstant) -> [Effect] {
        engine.beginFirstSync(summary: summary, at: now)
    }

    mutating func advance(to now: EngineInstant) -> [Effect] { engine.advance(to: now, summary: summary) }

    mutating func setPeers(
        _ peers: [ReplicationPeer], areComplete: Bool = true, at now: EngineInstant
    ) -> [Effect] {
        engine.setPeers(peers, areComplete: areComplete, summary: summary, at: now)
    }

    mutating func heartbeat(at now: EngineInstant) -> Effect { engine.heartbeat(summary, at: now) }

    mutating func peerConnected(at now: EngineInstant) -> [Effect] { engine.peerConnected(at: now) }

    mutating func committed(_ rows: [Row], at now: EngineInstant) -> [Effect] {
        engine.committed(rows.encoded, at: now)
    }

    mutating func receive(_ arrivals: [Arrival], at now: EngineInstant) -> [Effect] {
        engine.receive(arrivals, summary: summary, at: now)
    }

    mutating func receive(_ push: WalkMessage.Push, at now: EngineInstant) -> [Effect] {
        engine.receive(push, at: now).effects
    }

    mutating func merged(
        _ token: ReplicationEngine.MergeToken, _ outcome: MergeOutcome, at now: EngineInstant
    ) -> [Effect] {
        engine.merged(token, outcome, at: now)
    }

    mutating func mergeFailed(_ token: ReplicationEngine.MergeToken, at now: EngineInstant) -> [Effect] {
        engine.mergeFailed(token, at: now)
    }

    mutating func walkFinished(with node: NodeID, _ outcome: WalkOutcome, at now: EngineInstant) -> [Effect] {
        engine.walkFinished(with: node, outcome, summary: summary, at: now)
    }

    mutating func walkFailed(with node: NodeID, _ error: WalkError, at now: EngineInstant) -> [Effect] {
        engine.walkFailed(with: node, error, at: now)
    }

    mutating func walkProgressed(with node: NodeID, at now: EngineInstant) {
        engine.walkProgressed(with: node, at: now)
    }

    mutating func walkServed(_ outcome: WalkOutcome) {
        engine.walkServed(outcome, with: NodeID(2), since: .zero, at: .zero)
    }
}
