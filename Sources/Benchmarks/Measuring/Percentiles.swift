/// Samples in order, and what share of them lies below which value.
package struct Percentiles: Sendable {
    private let sorted: [Double]

    package init(_ samples: some Sequence<Double>) { sorted = samples.sorted() }

    /// The least sample that at least `share` (0 to 1) of all do not exceed: the nearest rank, never a value between two
    /// samples. `nil` without samples.
    package func at(_ share: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let rank = (share * Double(sorted.count)).rounded(.up)
        return sorted[Swift.min(Swift.max(Int(rank), 1), sorted.count) - 1]
    }

    package var p50: Double? { at(0.5) }
    package var p99: Double? { at(0.99) }
    package var p999: Double? { at(0.999) }
    package var max: Double? { sorted.last }
}
