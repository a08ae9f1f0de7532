#if !canImport(Store)
/// One todo, as a client sees it.
package struct Todo: Sendable, Equatable {
    /// From 1; local to this node, and never used again after a delete.
    package var id: Int64
    /// 1 to 80 Unicode scalars, kept byte for byte; means the same todo on every node.
    package var externID: String
    /// 1 to 500 Unicode scalars, kept byte for byte.
    package var text: String
    package var isCompleted: Bool
    /// Since 1970-01-01T00:00:00Z, leap seconds not counted; the same on every node.
    package var createdAtMilliseconds: Int64

    package init(id: Int64, externID: String, text: String, isCompleted: Bool, createdAtMilliseconds: Int64) {
        self.id = id
        self.externID = externID
        self.text = text
        self.isCompleted = isCompleted
        self.createdAtMilliseconds = createdAtMilliseconds
    }
}
#endif
