package import Transport

/// The end of a run: others take over.
extension ReplicationEngine {
    /// This node is about to leave, and others should not rely on it.
    package var isLeaving: Bool { handOver != nil }

    /// Sees to it that another node has everything that is here; ends with `.handedOver`. Nothing is to be committed by
    /// clients any more.
    package mutating func beginHandOver(summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard handOver == nil else { return [] }
        handOver = HandOver(at: now)
        // First of all the others hear that this node is no proof of anything any more.
        return [heartbeat(summary, at: now)] + advanceHandOver(summary, at: now)
    }

    mutating func advanceHandOver(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        guard var leaving = handOver, leaving.end == nil else { return [] }
        let peer = leaving.advance(table, own: summary, using: &generator, at: now)
        handOver = leaving
        return (peer.map { [beginWalk(with: $0, at: now)] } ?? [])
            + (leaving.end.map { [.emit(.handedOver($0))] } ?? [])
    }

    /// A walk of the hand-over may have ended; `isDone`: the peer has what was here when it began.
    mutating func handOverWalkEnded(with node: NodeID, isDone: Bool, at now: EngineInstant) -> [Effect] {
        guard var leaving = handOver, leaving.end == nil else { return [] }
        if isDone { leaving.walkFinished(with: node) } else { leaving.walkFailed(with: node, at: now) }
        handOver = leaving
        return leaving.end.map { [.emit(.handedOver($0))] } ?? []
    }
}
