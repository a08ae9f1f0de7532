internal import CoreMetrics

/// A counter that somebody else keeps, carried over: what it has grown by since the last time is added.
struct CarriedCounter {
    private let counter: Counter
    private var last = 0

    init(_ name: String, _ labels: [(String, String)] = [], in factory: any MetricsFactory) {
        counter = Counter(label: name, dimensions: labels, factory: factory)
    }

    /// `total` may be older than an earlier one, of a scrape that took longer: it changes nothing then.
    mutating func carry(_ total: Int) {
        guard total > last else { return }
        counter.increment(by: total - last)
        last = total
    }
}

/// The same for fractions.
struct CarriedSum {
    private let counter: FloatingPointCounter
    private var last = 0.0

    init(_ name: String, in factory: any MetricsFactory) {
        counter = FloatingPointCounter(label: name, factory: factory)
    }

    /// See `CarriedCounter`.
    mutating func carry(_ total: Double) {
        guard total > last else { return }
        counter.increment(by: total - last)
        last = total
    }
}

/// Counters of one family, by the value of its one label.
struct CarriedCounters {
    private var counters: [String: CarriedCounter] = [:]

    init(_ name: String, _ label: String, values: [String], in factory: any MetricsFactory) {
        for value in values { counters[value] = CarriedCounter(name, [(label, value)], in: factory) }
    }

    mutating func carry(_ total: Int, _ value: String) { counters[value]?.carry(total) }
}
