package import CoreMetrics
internal import class Foundation.NSLock

/// All metrics of a process, written as Prometheus reads them.
///
/// Families are declared when it is made; what is made through swift-metrics has to be one of them, with exactly its
/// labels, and of a fitting kind: `Counter` and `FloatingPointCounter` for counters, `Meter`, `Gauge` and `Recorder`
/// without aggregation for gauges, `Recorder` for histograms, `Timer` for histograms in seconds. Anything else, such as
/// what a library counts on its own, takes values and keeps nothing, and is counted in `refusedSeries`.
///
/// Making the same series again gives the same one; destroying it removes it for all, but for series that every label
/// value of which is declared: these stay, with their value.
package final class Registry: MetricsFactory {
    /// The family that counts what was asked for and not kept, which every registry has; it comes last.
    package static let refusedSeries = MetricFamily(
        "prometheus_refused_series_total", .counter,
        labels: [.init("cause", Refusal.allCases.map(\.rawValue))],
        help: "Metrics that code of this process asked for and that are not kept: undeclared ones, such as those of "
            + "libraries, and those beyond the limit of series of their family. Counted each time they are asked for.")

    private enum Refusal: String, CaseIterable {
        case undeclared, limit
    }

    /// In the order in which they are written.
    package let families: [MetricFamily]

    private let states: [FamilyState]
    private let places: [String: Int]
    private let refusals: [Refusal: CounterSeries]

    /// Every family must be without fault and have a name of its own: declarations are ours.
    package init(_ declared: [MetricFamily]) {
        families = declared + [Self.refusedSeries]
        for family in families {
            if let fault = family.fault { preconditionFailure(fault) }
        }
        states = families.map(FamilyState.init)
        places = Dictionary(uniqueKeysWithValues: families.enumerated().map { ($1.name, $0) })
        let counter = states[families.count - 1]
        refusals = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.compactMap { cause in
                guard case .series(let series as CounterSeries) = counter.make([("cause", cause.rawValue)]) else {
                    return nil
                }
                return (cause, series)
            })
    }

    /// Everything, in the text format: families as declared, series as they were made.
    package func text() -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(64 << 10)
        for state in states { state.write(to: &text) }
        return text
    }

    /// Series that there are now, for tests of the bound.
    package var seriesCount: Int { states.reduce(0) { $0 + $1.count } }

    // MARK: swift-metrics

    /// See `MetricsFactory`.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, as: CounterSeries.self) ?? NoSeries.shared
    }

    /// See `MetricsFactory`.
    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, as: CounterSeries.self) ?? NoSeries.shared
    }

    /// See `MetricsFactory`.
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, as: GaugeSeries.self) ?? NoSeries.shared
    }

    /// See `MetricsFactory`.
    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, as: GaugeSeries.self) ?? NoSeries.shared }
        return series(label, dimensions, as: HistogramSeries.self, isTimer: false) ?? NoSeries.shared
    }

    /// See `MetricsFactory`.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, as: HistogramSeries.self, isTimer: true) ?? NoSeries.shared
    }

    /// See `MetricsFactory`.
    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }

    /// See `MetricsFactory`.
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }

    /// See `MetricsFactory`.
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }

    /// See `MetricsFactory`.
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }

    /// See `MetricsFactory`.
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func series<Wanted: Series>(
        _ name: String, _ dimensions: [(String, String)], as type: Wanted.Type, isTimer: Bool? = nil
    ) -> Wanted? {
        guard let place = places[name], Wanted.fits(families[place].kind),
            isTimer == nil || isTimer == (families[place].unit == .seconds)
        else { return refuse(.undeclared) }
        switch states[place].make(dimensions) {
        case .series(let series as Wanted): return series
        case .series, .otherLabels: return refuse(.undeclared)
        case .isFull: return refuse(.limit)
        }
    }

    private func refuse<Wanted>(_ cause: Refusal) -> Wanted? {
        refusals[cause]?.increment(by: 1 as Int64)
        return nil
    }

    private func remove(_ handler: AnyObject) {
        guard handler !== NoSeries.shared else { return }
        for state in states where state.remove(handler) { return }
    }
}

/// A family and its series.
///
/// `@unchecked Sendable`: the series are touched under `lock` only.
private final class FamilyState: @unchecked Sendable {
    enum Outcome {
        case series(any Series)
        /// Not those of the family, or a value that it does not know.
        case otherLabels
        case isFull
    }

    private let family: MetricFamily
    private let head: [UInt8]
    private let name: [UInt8]
    private let isClosed: Bool
    private let lock = NSLock()
    /// By their labels as they are written: two texts that Swift calls equal may have other bytes.
    private var places: [[UInt8]: Int] = [:]
    private var entries: [(labels: [UInt8], series: any Series)] = []

    init(_ family: MetricFamily) {
        self.family = family
        name = Array(family.name.utf8)
        var head: [UInt8] = []
        head.appendHead(of: family)
        self.head = head
        isClosed = family.labels.allSatisfy { $0.values != nil }
        if isClosed { addAll(family.labels[...], chosen: []) }
    }

    var count: Int { lock.withLock { entries.count } }

    /// The series with these values, made where there is none.
    func make(_ dimensions: [(String, String)]) -> Outcome {
        guard dimensions.count == family.labels.count else { return .otherLabels }
        var labels: [(name: String, value: String)] = []
        for label in family.labels {
            guard let value = dimensions.first(where: { $0.0 == label.name })?.1,
                label.values?.contains(where: { $0.utf8.elementsEqual(value.utf8) }) ?? true
            else { return .otherLabels }
            labels.append((label.name, value))
        }
        let key = TextFormat.labels(labels)
        return lock.withLock { () -> Outcome in
            if let place = places[key] { return .series(entries[place].series) }
            guard entries.count < family.seriesLimit else { return .isFull }
            return .series(add(key))
        }
    }

    /// `false` when it is none of this family.
    func remove(_ handler: AnyObject) -> Bool {
        lock.withLock {
            guard let place = entries.firstIndex(where: { $0.series === handler }) else { return false }
            guard !isClosed else { return true }
            entries.remove(at: place)
            places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.labels, $0) })
            return true
        }
    }

    func write(to text: inout [UInt8]) {
        text += head
        let entries = lock.withLock { self.entries }
        for (labels, series) in entries { series.write(name: name, labels: labels, to: &text) }
    }

    /// Every combination of values; called before anybody else can.
    private func addAll(_ labels: ArraySlice<MetricFamily.Label>, chosen: [(name: String, value: String)]) {
        guard let label = labels.first else {
            _ = add(TextFormat.labels(chosen))
            return
        }
        for value in label.values ?? [] { addAll(labels.dropFirst(), chosen: chosen + [(label.name, value)]) }
    }

    /// Called with the lock held.
    private func add(_ labels: [UInt8]) -> any Series {
        let series: any Series
        switch family.kind {
        case .counter: series = CounterSeries()
        case .gauge: series = GaugeSeries()
        case .histogram(let bounds): series = HistogramSeries(bounds: bounds, isTimer: family.unit == .seconds)
        }
        places[labels] = entries.count
        entries.append((labels, series))
        return series
    }
}
