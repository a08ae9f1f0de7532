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
