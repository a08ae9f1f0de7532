internal import Transport

/// Before this node leaves it makes sure that another has everything that it has: by equal roots, or by a walk.
package struct HandOver: Hashable, Sendable {
    /// With the end of requests before it and the farewell after it shorter than what a node may take that was told to stop.
    static let limit: Duration = .milliseconds(1_500)
    private static let retry: Duration = .milliseconds(200)
    /// A peer that has not come to an end by then may be gone: another is asked too.
    private static let patience: Duration = .milliseconds(400)
    /// Peers that are asked at once, at most.
    static let maxWalks = 3

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
    /// Peers walked with, and when the last of these walks began.
    private var walkingWith: Set<NodeID> = []
    private var lastBegin: EngineInstant?
    private var retryAt: [NodeID: EngineInstant] = [:]
    private(set) var end: End?

    init(at now: EngineInstant) { deadline = now + Self.limit }

    /// When `advance` has work.
    var nextDeadline: EngineInstant? {
        guard end == nil else { return nil }
        let next = lastBegin.map { $0 + Self.patience } ?? retryAt.values.min()
        return next.map { min($0, deadline) } ?? deadline
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
        guard end == nil else { return nil }
        if let begin = lastBegin, now < begin + Self.patience { return nil }
        lastBegin = nil
        guard walkingWith.count < Self.maxWalks else {
            lastBegin = now
            return nil
        }
        retryAt = retryAt.filter { table.has($0.key) && $0.value > now }
        let free = table.peers.filter { retryAt[$0.nodeID] == nil && !table.isWalking($0.nodeID) }
        let synced = free.filter { table.state($0.nodeID).report.isSynced }
        guard let chosen = (synced.isEmpty ? free : synced).randomElement(using: &generator) else {
            // Walks of before are under way: what they bring over began too early to count.
            if retryAt.isEmpty, let peer = table.peers.first { retryAt[peer.nodeID] = now + Self.retry }
            return nil
        }
        walkingWith.insert(chosen.nodeID)
        lastBegin = now
        return chosen
    }

    mutating func walkFinished(with node: NodeID) {
        if walkingWith.remove(node) != nil, end == nil { end = .safe }
    }

    mutating func walkFailed(with node: NodeID, at now: EngineInstant) {
        guard walkingWith.remove(node) != nil else { return }
        retryAt[node] = now + Self.retry
        lastBegin = nil
    }

    private static func hasAll(_ report: PeerReport, _ own: TreeSummary) -> Bool {
        report.isReady && report.summary == own
    }
}
