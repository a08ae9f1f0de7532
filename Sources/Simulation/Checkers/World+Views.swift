internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// What clients see while all of that goes on.
extension World {
    // MARK: One node

    /// A client has been told that a row is written: who asks now sees that, or what came later.
    func checkWritten(_ row: EncodedRow, on node: SimulatedNode) {
        guard node.isViewed else { return }
        _ = node.view.show(row.key, row)
        checkRead(row.key, on: node.index)
    }

    /// A client reads a todo.
    func checkRead(_ key: ByteString, on index: Int) {
        let node = nodes[index]
        guard isServing(index), node.isViewed, let found = node.replica.read(key) else { return }
        if let fault = node.view.show(key, found.row) { violate(fault, key, on: node) }
    }

    private func violate(_ fault: NodeView.Fault, _ key: ByteString, on node: SimulatedNode) {
        switch fault {
        case .isGone: violate(.view, "\(node.name) shows no \(key) any more")
        case .isBack: violate(.resurrection, "\(node.name) shows \(key) again, which it has shown as deleted")
        case .isOlder: violate(.view, "\(node.name) shows an older \(key)")
        }
    }

    // MARK: All nodes

    /// Clients list all that there is. Then each node that says that it is synced is held against all others.
    func checkViews() {
        for node in nodes where isServing(node.index) && node.isViewed {
            let sample = NodeView.Sample(at: now, rows: node.replica.rows, summary: node.replica.summary)
            for (key, fault) in node.view.showAll(sample) { violate(fault, key, on: node) }
        }
        for node in nodes where isServing(node.index) && node.isViewed {
            for other in nodes where other.index != node.index && isServing(other.index) && other.isViewed {
                checkSync(of: node, with: other)
            }
        }
    }

    /// For how long something may be missing that nothing shows.
    private static let longestIgnorance: Duration = .seconds(12)

    /// Whoever says that it is synced has what the living members that it knows have had for long; and whose lag it gives
    /// as none, it has all of.
    private func checkSync(of node: SimulatedNode, with other: SimulatedNode) {
        guard let old = other.view.sample(before: now + (.zero - Self.longestIgnorance)),
            node.replica.summary != other.replica.summary,
            let process = node.process, couldKnow(node, of: other)
        else { return }
        let isSynced = process.withCore { $0.replication.isSynced }
        guard isPeer(other, of: process),
            isSynced || (hasKnown(other, for: Self.longestIgnorance, at: node) && lag(of: other, at: process) == .zero)
        else { return }
        let rows = node.replica.rows
        let lacking = old.rows.filter { key, old in
            rows[key].map { $0 != old && $0.row.merged(with: old.row) != $0.row } ?? true
        }
        guard let key = lacking.keys.min() else { return }
        let claim = isSynced ? "is synced" : "lags by nothing"
        violate(.sync, "\(node.name) says that it \(claim), without \(lacking.count) of \(other.name), such as \(key)")
    }
}

extension World {
    private func isPeer(_ other: SimulatedNode, of process: SimulatedProcess) -> Bool {
        let peer = ReplicationPeer(nodeID: other.nodeID, address: other.address)
        return process.withCore { $0.replication.peers.contains(peer) }
    }

    private func lag(of other: SimulatedNode, at process: SimulatedProcess) -> Duration? {
        let statuses = process.withCore { $0.replication.peerStatus(wallMilliseconds: 0, at: now) }
        return statuses.first { $0.nodeID == other.nodeID }?.lag
    }

    /// Whether a node has run and seen another as alive for so long.
    private func hasKnown(_ other: SimulatedNode, for time: Duration, at node: SimulatedNode) -> Bool {
        let since = now + (.zero - time)
        guard let process = node.process, node.hasBeenWell(since: since) else { return false }
        return process.joinTimes[other.name].map { $0 <= since } ?? false
    }

    /// Whether a node has had the time to find out what another has. One that has just started, and says that it is synced,
    /// has it, too, of those that ran before, unless whoever told it may have been cut off.
    private func couldKnow(_ node: SimulatedNode, of other: SimulatedNode) -> Bool {
        if hasKnown(other, for: Self.longestIgnorance, at: node) { return true }
        guard let process = node.process, !node.hasRun(since: now + (.zero - Self.longestIgnorance)) else {
            return false
        }
        return network.hasBeenWhole(since: process.startedAt + (.zero - Self.toldTrouble))
            && other.hasBeenWell(since: process.startedAt + (.zero - Self.longestIgnorance))
            && node.hasBeenWell(since: process.startedAt)
    }
}

extension SimulatedNode {
    /// Clients may hold it to what it has shown. Not that of somebody else, and not what a damaged disk has lost.
    fileprivate var isViewed: Bool { process != nil && !isCopy && !disk.isDamaged }
}
