internal import Replication
package import Transport

/// A todo as the REST API shows it.
package struct Todo: Hashable, Sendable {
    /// Local to this database, from 1, never used again.
    package let id: Int64
    package let externID: String
    package let text: String
    package let isCompleted: Bool
    /// Since 1970; the same on every node.
    package let createdAtMilliseconds: Int64

    package init(id: Int64, externID: String, text: String, isCompleted: Bool, createdAtMilliseconds: Int64) {
        self.id = id
        self.externID = externID
        self.text = text
        self.isCompleted = isCompleted
        self.createdAtMilliseconds = createdAtMilliseconds
    }

    /// `nil` for a deleted row.
    init?(id: Int64, row: Row) {
        guard case .created(let milliseconds) = row.presence.value, let text = row.text, let completed = row.completed
        else { return nil }
        self.init(
            id: id, externID: row.key.string, text: text.value.string, isCompleted: completed.value,
            createdAtMilliseconds: milliseconds)
    }

    /// Texts are compared byte for byte.
    package static func == (left: Self, right: Self) -> Bool {
        left.id == right.id && ByteString(left.externID) == ByteString(right.externID)
            && ByteString(left.text) == ByteString(right.text) && left.isCompleted == right.isCompleted
            && left.createdAtMilliseconds == right.createdAtMilliseconds
    }
}

/// Which todo a request means.
package enum TodoAddress: Sendable {
    /// This database's id.
    case id(Int64)
    /// Byte for byte; the same todo on every node.
    case externID(String)
}

/// Whether a write may go on: asked of the todo as it is, in the write's own transaction. Must be quick; runs on the
/// writer's thread.
package typealias TodoCondition = @Sendable (Todo) -> Bool

/// Where a page of the list ended: the next begins behind it.
package struct TodoCursor: Hashable, Sendable {
    package let createdAtMilliseconds: Int64
    package let id: Int64

    package init(createdAtMilliseconds: Int64, id: Int64) {
        self.createdAtMilliseconds = createdAtMilliseconds
        self.id = id
    }
}

/// What became of a create.
package enum CreateOutcome: Hashable, Sendable {
    case created(Todo)
    /// A todo with this `extern_id` is there; nothing was written.
    case exists
}

/// A member that the cluster had when this node last heard of it: whom to try at the next start.
package struct KnownMember: Hashable, Sendable {
    package var name: String
    package var nodeID: NodeID?
    package var address: String

    package init(name: String, nodeID: NodeID?, address: String) {
        self.name = name
        self.nodeID = nodeID
        self.address = address
    }
}

/// One transaction that changed rows.
package struct CommitReport: Hashable, Sendable {
    /// Rows that it wrote, each as often as it did.
    package var rowCount: Int
    /// From when it had begun until it was durable, or as durable as `StoreConfiguration.synchronous` asks for.
    package var duration: Duration
}

/// What the writer has done since the start.
package struct CommitStatistics: Hashable, Sendable {
    /// Transactions that changed a row.
    package var commitCount = 0
    /// Rows that those wrote.
    package var rowCount = 0
    /// Most rows that shared one commit.
    package var largestBatch = 0

    /// Nothing yet.
    package init() {}
}
