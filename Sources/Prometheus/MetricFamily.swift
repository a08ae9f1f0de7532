/// One metric as it is declared: what Prometheus calls a family. Its series differ in the values of its labels.
package struct MetricFamily: Sendable {
    /// What its series are.
    package enum Kind: Hashable, Sendable {
        /// Only grows, until the process ends.
        case counter
        /// Any value at any time.
        case gauge
        /// How many values were at most each of these bounds, which ascend; `+Inf` is added.
        case histogram(bounds: [Double])
    }

    /// What its values are counted in. The name ends with it, as Prometheus asks for.
    package enum Unit: String, Hashable, Sendable {
        /// The name says it: `..._rows_total`.
        case none = ""
        case seconds
        case bytes
    }

    /// A label of a family.
    package struct Label: Hashable, Sendable {
        /// Letters, digits and `_`, no digit first.
        package var name: String
        /// All values that there can be, which have a series from the start; `nil` when they are not known before.
        package var values: [String]?

        /// One whose values come as they come, unless they are given.
        package init(_ name: String, _ values: [String]? = nil) {
            self.name = name
            self.values = values
        }
    }

    /// Most series of a family whose label values are not known before, unless it says otherwise.
    package static let usualSeriesLimit = 1_024

    package var name: String
    /// What exactly is counted; one sentence or two.
    package var help: String
    package var kind: Kind
    package var unit: Unit
    package var labels: [Label]
    /// Further series are counted and not kept.
    package var seriesLimit: Int

    package init(
        _ name: String, _ kind: Kind, unit: Unit = .none, labels: [Label] = [],
        seriesLimit: Int = usualSeriesLimit, help: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.seriesLimit = seriesLimit
        self.help = help
    }

    /// What is wrong with it, by the rules of the text format and of https://prometheus.io/docs/practices/naming; `nil`
    /// when nothing is.
    package var fault: String? {
        if !Self.isName(name) { return "\(name) is no name of a metric" }
        if help.isEmpty { return "\(name) has no help" }
        for label in labels where !Self.isName(label.name) || label.name.hasPrefix("__") || label.name == "le" {
            return "\(name): \(label.name) is no name of a label"
        }
        if Set(labels.map(\.name)).count < labels.count { return "\(name) has a label twice" }
        let stem = name.hasSuffix("_total") ? String(name.dropLast("_total".count)) : name
        if (kind == .counter) != (stem != name) { return "\(name): counters end in _total, and only they do" }
        if unit != .none, !stem.hasSuffix("_\(unit.rawValue)") { return "\(name) does not end in its unit" }
        if case .histogram(let bounds) = kind {
            let isAscending = zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }
            if bounds.isEmpty || !isAscending || !bounds.allSatisfy(\.isFinite) { return "\(name): bad bounds" }
        }
        return seriesLimit >= 1 ? nil : "\(name) has no room for a series"
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
