internal import Replication

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
