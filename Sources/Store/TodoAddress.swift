/// Which todo a request means.
package enum TodoAddress: Sendable {
    /// This database's id.
    case id(Int64)
    /// Byte for byte; the same todo on every node.
    case externID(String)
}
