@testable import Replication
import Transport

// What the tests of the engine speak of: peers by small numbers, and times in milliseconds.

func milliseconds(_ count: some BinaryInteger) -> EngineInstant { .zero + .milliseconds(count) }

func address(_ node: UInt64) -> PeerAddress { PeerAddress(host: .v4(0x7f00_0001), port: UInt16(node)) }

func peer(_ node: UInt64) -> ReplicationPeer { ReplicationPeer(nodeID: NodeID(node), address: address(node)) }

/// A todo that node 1 created at the first millisecond.
func row(_ key: ByteString, text: String = "t") -> Row {
    let stamp = Stamp(time: HybridTime(milliseconds: 1), origin: NodeID(1))
    return .created(key: key, text: ByteString(text), atMilliseconds: 1, stamp: stamp)
}

/// A changes message of a node's first start, or another.
func changes(from node: UInt64, start: UInt64 = 1, sequence: UInt64, rows: [Row]) -> [UInt8] {
    var bytes = ReplicationMessage.changesHeader(
        stream: StreamID(origin: NodeID(node), start: start), sequence: sequence)
    for row in rows { bytes += RowCodec.encode(row) }
    return bytes
}

func isWalk(_ effect: ReplicationEngine.Effect) -> Bool { if case .walk = effect { true } else { false } }

/// Open and synced, with these peers, of which nothing has been heard.
func readyEngine(node: UInt64 = 1, peers: [UInt64] = [2]) -> TestedEngine {
    var engine = TestedEngine(configuration: .init(), nodeID: NodeID(node), start: 1, seed: 1)
    _ = engine.setPeers(peers.map(peer), at: .zero)
    _ = engine.open(isSynced: true, at: .zero)
    return engine
}

/// A heartbeat of a node with a row, or none where the root is 0.
func heartbeat(
    from node: UInt64, start: UInt64 = 1, head: UInt64, root: UInt128, isReady: Bool = true, witness: UInt64? = nil
) -> Arrival {
    let message = ReplicationMessage.encode(
        .init(
            stream: StreamID(origin: NodeID(node), start: start), head: head,
            summary: TreeSummary(root: root, count: root == 0 ? 0 : 1), isReady: isReady, isSynced: isReady,
            witness: witness))
    return Arrival(message: message, sender: address(node), delivery: .broadcast(reachedEveryone: true))
}
