/// How full something bounded is, for checkers and metrics.
package struct Occupancy: Hashable, Sendable {
    /// What is counted, in the plural.
    package var name: String
    package var count: Int
    /// `count` is never above it.
    package var limit: Int

    package init(_ name: String, _ count: Int, limit: Int) {
        self.name = name
        self.count = count
        self.limit = limit
    }
}
