/// One transaction that changed rows.
package struct CommitReport: Hashable, Sendable {
    /// Rows that it wrote, each as often as it did.
    package var rowCount: Int
    /// From when it had begun until it was durable, or as durable as `StoreConfiguration.synchronous` asks for.
    package var duration: Duration
}
