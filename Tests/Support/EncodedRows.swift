package import Replication
package import Simulation

extension HybridTime {
    package static let max = HybridTime(rawValue: .max)
}

extension [Row] {
    /// Each with its bytes.
    package var encoded: [EncodedRow] { map { EncodedRow($0) } }
}

extension MemoryReplica {
    /// Merges rows that did not come over the wire.
    @discardableResult
    package mutating func merge(_ rows: [Row], latest: HybridTime = .max) -> MergeOutcome {
        merge(rows.encoded, latest: latest)
    }
}
