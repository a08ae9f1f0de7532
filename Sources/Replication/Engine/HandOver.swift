internal import Transport

/// Before this node leaves it makes sure that another has everything that it has: by equal roots, or by a walk.
package struct HandOver: Hashable, Sendable {
    /// Shorter than a node that was told to stop may take.
    static let limit: Duration = .milliseconds(2_500)
    private static let retry: Duration = .milliseconds(200)

    /// How it ended.
    package enum End: Hashable, Sendable {
        /// Another node has everything that was acknowledged here.
        case safe
        /// No other node is here.
        case alone
        /// Nobody could be reached in time.
        case unsure
    }

    private let deadline: EngineInstant
    private var walkingWith: NodeID?
    private var retryAt: [NodeID: EngineInstant] = [:]
    private(set) var end: End?

    init(at now: EngineInstant) { deadline = now + Self.limit }

    /// When `advance` has work.
    var nextDeadline: EngineInstant? {
        guard end == nil else { return nil }
        guard walkingWith == nil, let earliest = retryAt.values.min() else { return deadline }
        return min(deadline, earliest)
    }

    /// Chooses whom to walk with, or sees that it is over.
    mutating func advance(
        _ table: PeerTable, own: TreeSummary, using generator: inout SeededGenerator, at now: EngineInstant
    ) -> ReplicationPeer? {
        guard end == nil else { return nil }
        if table.isEmpty {
            end = .alone
        } else if table.peers.contains(where: { Self.hasAll(table.state($0.nodeID).report, own) }) {
            end = .safe
        } else if now >= deadline {
            end = .unsure
        }
        guard end == nil, walkingWith == nil else { return nil }
        retryAt = retryAt.filter { table.has($0.key) && $0.value > now }
        let free = table.peers.filter { retryAt[$0.nodeID] == nil && !table.isWalking($0.nodeID) }
        let synced = free.filter { table.state($0.nodeID).report.isSynced }
        guard let chosen = (synced.isEmpty ? free : synced).randomElement(using: &generator) else {
            // A walk of before is under way: what it brings over began too early to count.
            if retryAt.isEmpty, let peer = table.peers.first { retryAt[peer.nodeID] = now + Self.retry }
            return nil
        }
        walkingWith = chosen.nodeID
        return chosen
    }

    mutating func walkFinished(with node: NodeID) {
        guard walkingWith == node else { return }
        walkingWith = nil
        if end == nil { end = .safe }
    }

    mutating func walkFailed(with node: NodeID, at now: EngineInstant) {
        guard walkingWith == node else { return }
        walkingWith = nil
        retryAt[node] = now + Self.retry
    }

    private static func hasAll(_ report: PeerReport, _ own: TreeSummary) -> Bool {
        report.isReady && report.summary == own
    }
}
