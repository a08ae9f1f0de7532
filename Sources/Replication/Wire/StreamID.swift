package import Transport

/// One start of one origin: within it, broadcasts are numbered.
package struct StreamID: Hashable, Sendable {
    package var origin: NodeID
    /// Greater at each start of the origin, which numbers them by its wall clock.
    package var start: UInt64

    package init(origin: NodeID, start: UInt64) {
        self.origin = origin
        self.start = start
    }

    init(from reader: inout ByteReader) throws {
        origin = NodeID(try reader.integer())
        start = try reader.integer()
    }
}
