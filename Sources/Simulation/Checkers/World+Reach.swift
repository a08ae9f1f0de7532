internal import Cluster
internal import Replication
internal import Transport

/// A write is everywhere soon, also with those whom its writer cannot reach, as long as some third node reaches both.
extension World {
    private static let soon: Duration = .seconds(2)
    /// How long a path that was cut may take to be used again.
    private static let settling: Duration = .seconds(3)

    /// Rows were acknowledged by a node: looks later who has them.
    func expectSoon(_ rows: [EncodedRow], from writer: Int) {
        guard options.faults.onlyTouchPaths, nodes.count > 2 else { return }
        let since = now + (.zero - Self.settling)
        guard now - .zero > Self.settling else { return }
        let peers = nodes.indices.map(peerIndices)
        perform(in: Self.soon) { world in
            for reader in world.nodes where reader.index != writer {
                let hasWay = world.nodes.indices.contains { middle in
                    world.isWay(writer, middle, reader.index, peers, since: since)
                }
                guard hasWay else { continue }
                for row in rows
                where reader.replica.rows[row.key].map({ $0.row.merged(with: row.row) != $0.row }) ?? true {
                    world.violate(.lateWrite, "\(reader.name) has not got \(row.key) of node-\(writer) in \(Self.soon)")
                }
            }
        }
    }

    /// Whether the three knew each other, and nothing came between the outer ones and the middle one since.
    private func isWay(_ from: Int, _ middle: Int, _ to: Int, _ peers: [Set<Int>], since: EngineInstant) -> Bool {
        [from, middle, to].allSatisfy { isWell($0, since: since) }
            && [(from, middle), (middle, to)].allSatisfy { one, other in
                one == other
                    || (network.hasConnected(one, other, since: since) && peers[one].contains(other)
                        && peers[other].contains(one) && peerIndices(one).contains(other)
                        && peerIndices(other).contains(one))
            }
    }

    private func peerIndices(_ index: Int) -> Set<Int> {
        Set(nodes[index].process?.core.replication.peers.compactMap { SimulatedNode.index($0.address) } ?? [])
    }

    private func isWell(_ index: Int, since: EngineInstant) -> Bool {
        let node = nodes[index]
        return node.hasBeenWell(since: since) && !node.isCopy && !node.disk.isFull && node.disk.slowUntil <= since
            && node.disk.wellSince <= since && node.process?.openSince.map { $0 <= since } == true
    }
}
