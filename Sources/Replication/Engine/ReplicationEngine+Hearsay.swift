internal import Transport

/// Changes of writers that this node does not reach, by way of peers that do.
extension ReplicationEngine {
    /// A peer tells how far others have come, and has other data than this node. What is not here soon it is asked for.
    mutating func noteHearsay(
        _ heads: [ReplicationMessage.StreamHead], from teller: NodeID, at now: EngineInstant
    ) {
        guard isReady, !isLeaving, !heads.isEmpty else { return }
        let missing = heads.prefix(configuration.maxHeads).filter(isMissing)
        // By then the first pull from the writer is answered.
        hearsay.note(
            missing, from: teller, due: now + configuration.pullDelay.upperBound + configuration.pullTimeout)
    }

    mutating func advanceHearsay(_ summary: TreeSummary, at now: EngineInstant) -> [Effect] {
        let told = hearsay.takeDue(at: now).filter { told in
            let report = table.state(told.teller).report
            return report.summary.map { $0 != summary } ?? false && told.heads.contains(where: isMissing)
        }
        // The end of a walk under way comes before that of one that would begin now.
        let free = told.filter { !table.isWalking($0.teller) }
        guard !isLeaving, let chosen = free.randomElement(using: &generator), let peer = table[chosen.teller] else {
            return []
        }
        hearsay.walkBegan(with: chosen.teller, others: told.filter { $0.teller != chosen.teller }, at: now)
        return [beginWalk(with: peer, at: now)]
    }

    /// Whether a peer's stream is not here as far as that.
    private func isMissing(_ told: ReplicationMessage.StreamHead) -> Bool {
        guard table.has(told.stream.origin) else { return false }
        guard let followed = streams[told.stream.origin] else { return true }
        return followed.start < told.stream.start
            || (followed.start == told.stream.start && max(followed.window.head, followed.coveredEnd) < told.head)
    }
}
