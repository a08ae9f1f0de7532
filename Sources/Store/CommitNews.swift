internal import Replication
internal import Transport

/// Where a commit shows: the tree, the rows to broadcast, the report.
struct CommitNews {
    /// What one transaction did, now that it is durable.
    struct Item {
        /// Everything, when another program had written.
        var reloaded: Loader.Loaded?
        var changes: RowWriter.Changes
        var duration: Duration
    }

    let shared: SharedIndex
    let committed: BatchQueue<EncodedRow>
    let onCommit: @Sendable (CommitReport) -> Void
    let onOutsideChanges: @Sendable (OutsideChanges) -> Void

    func publish(_ item: Item) {
        if let reloaded = item.reloaded {
            shared.replace(with: reloaded)
            if reloaded.changes != OutsideChanges() { onOutsideChanges(reloaded.changes) }
        }
        if !item.changes.tree.isEmpty {
            shared.apply(item.changes.tree)
            onCommit(CommitReport(rowCount: item.changes.tree.count, duration: item.duration))
        }
        if !item.changes.local.isEmpty { committed.append(item.changes.local) }
    }
}
