package import Replication
package import Simulation

/// A wall clock that nobody has confirmed.
package func reading(_ milliseconds: Int64) -> WallReading { WallReading(milliseconds: milliseconds) }

extension [Row] {
    /// Each with its bytes.
    package var encoded: [EncodedRow] { map { EncodedRow($0) } }
}

extension MemoryReplica {
    /// Merges rows that did not come over the wire.
    @discardableResult
    package mutating func merge(_ rows: [Row], at wall: WallReading = reading(.max)) -> MergeOutcome {
        merge(rows.encoded, at: wall)
    }
}
