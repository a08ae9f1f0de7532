internal import Cluster
internal import Membership
internal import Replication
internal import Transport

/// A node that was wiped serves no emptiness while those that have the data are still starting.
extension World {
    /// The seeds, running or not, that have what a node without any row may not claim to be without.
    func fullSeeds(beside node: SimulatedNode) -> [Int] {
        // Of the addresses of a name one that answers is enough.
        guard node.replica.summary.count == 0, !hasHostName else { return [] }
        return present.filter { $0.index != node.index && isSeed($0.index) && isFull($0) }.map(\.index)
    }

    private func isFull(_ node: SimulatedNode) -> Bool {
        !node.isCopy && !node.isGone && !node.disk.isDamaged && node.replica.summary.count > 0
    }

    /// A node opens as synced. Where it has nothing, and had nothing, it has waited for its seeds, unless none has had a todo
    /// since it started; but in a cluster that is cut, and where another has waited and is open.
    func checkEmptiness(of node: SimulatedNode) {
        guard let process = node.process, !node.isCopy, node.replica.summary.count == 0,
            openNodes(besides: node.index).isEmpty,
            now - process.startedAt < membershipConfiguration.joining.joinTimeout,
            network.hasBeenWhole(since: process.startedAt + (.zero - Self.toldTrouble)),
            let holder = process.fullSeeds.first(where: { isFull(nodes[$0]) })
        else { return }
        violate(.staleStart, "\(node.name) serves nothing, and \(nodes[holder].name), which it was told of, has todos")
    }
}
