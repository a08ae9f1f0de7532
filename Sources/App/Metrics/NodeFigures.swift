internal import Replication
internal import Runtime
internal import Store
internal import Transport

/// Everything that the parts of a node have counted, as of one scrape.
struct NodeFigures: Sendable {
    /// What the store tells from memory.
    struct OfStore: Sendable {
        var todos = 0
        var rows: UInt64 = 0
        var waitingWrites = 0
        var outsideChanges = OutsideChanges()
    }

    var store = OfStore()
    var isReady = false
    /// Both `nil` for a node that stands alone, and before a node has begun to look for others.
    var replication: ReplicationFigures?
    var membership: MembershipFigures?
    var transport: TransportStats?
    var system = SystemFigures()
}

extension NodeFigures {
    /// Asks everybody. What asks the disk or the kernel runs outside of the cooperative pool.
    static func read(_ store: Store, _ core: ClusterCore?) async -> Self {
        var figures = NodeFigures()
        figures.store = OfStore(
            todos: store.todoCount, rows: store.summary.count, waitingWrites: store.waitingWriteCount,
            outsideChanges: store.outsideChanges)
        figures.isReady = core?.readiness.isSet ?? true
        figures.replication = await core?.driver?.replicationFigures()
        figures.membership = await core?.driver?.membershipFigures()
        figures.transport = core?.transport.stats
        // Fails only when the process ends, and then nobody looks.
        figures.system = (try? await Blocking.run { SystemFigures.read(store) }) ?? SystemFigures()
        return figures
    }
}
