internal import CoreMetrics
internal import Synchronization

/// One line or, of a histogram, group of lines: a family with particular label values.
protocol Series: AnyObject, Sendable {
    /// Whether series of that kind are such.
    static func fits(_ kind: MetricFamily.Kind) -> Bool
    /// Appends its samples. `labels`: `a="b",c="d"`, empty without labels.
    func write(name: [UInt8], labels: [UInt8], to text: inout [UInt8])
}

/// Only grows. `increment` is one atomic addition.
final class CounterSeries: Series, CounterHandler, FloatingPointCounterHandler {
    private let sum = AtomicSum()

    static func fits(_ kind: MetricFamily.Kind) -> Bool { kind == .counter }

    /// See swift-metrics. Nothing happens for a negative amount: Prometheus takes a counter that falls for a restart.
    func increment(by amount: Int64) { if amount > 0 { sum.add(amount) } }

    /// See swift-metrics. The same; nor for what is not finite.
    func increment(by amount: Double) { if amount > 0, amount.isFinite { sum.add(amount) } }

    /// Back to zero, as after a restart.
    func reset() { sum.reset() }

    func write(name: [UInt8], labels: [UInt8], to text: inout [UInt8]) {
        text.appendSample(name, labels: labels, value: sum.value)
    }
}

/// Any value at any time.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let bits = Atomic<UInt64>(0)

    static func fits(_ kind: MetricFamily.Kind) -> Bool { kind == .gauge }

    /// See swift-metrics.
    func set(_ value: Int64) { set(Double(value)) }

    /// See swift-metrics.
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// See swift-metrics.
    func increment(by amount: Double) { bits.addDouble(amount) }

    /// See swift-metrics.
    func decrement(by amount: Double) { bits.addDouble(-amount) }

    /// What a recorder without aggregation does: the last value counts.
    func record(_ value: Int64) { set(Double(value)) }

    /// The same.
    func record(_ value: Double) { set(value) }

    func write(name: [UInt8], labels: [UInt8], to text: inout [UInt8]) {
        text.appendSample(name, labels: labels, value: Double(bitPattern: bits.load(ordering: .relaxed)))
    }
}

/// How many values were at most each bound, and their sum. Recording is two atomic additions.
///
/// `@unchecked Sendable`: the counts are atomic, and their memory is made and freed with this object.
final class HistogramSeries: Series, RecorderHandler, TimerHandler, @unchecked Sendable {
    private static let nanosecondsPerSecond: Double = 1e9

    private let bounds: [Double]
    /// One for each bound, and one for what is above all.
    private let counts: UnsafeMutablePointer<Atomic<Int>>
    private let sum: AtomicSum

    static func fits(_ kind: MetricFamily.Kind) -> Bool { if case .histogram = kind { true } else { false } }

    /// A timer's integers are nanoseconds, and everything else about it is in seconds.
    init(bounds: [Double], isTimer: Bool) {
        self.bounds = bounds
        sum = AtomicSum(divisor: isTimer ? Self.nanosecondsPerSecond : 1)
        counts = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: bounds.count + 1)
        counts.deallocate()
    }

    /// See swift-metrics. Nothing happens for a negative value, here and below: the sum would be none of a histogram.
    func record(_ value: Int64) {
        guard value >= 0 else { return }
        count(Double(value))
        sum.add(value)
    }

    /// See swift-metrics.
    func record(_ value: Double) {
        guard value >= 0, value.isFinite else { return }
        count(value)
        sum.add(value)
    }

    /// See swift-metrics.
    func recordNanoseconds(_ duration: Int64) {
        guard duration >= 0 else { return }
        count(Double(duration) / Self.nanosecondsPerSecond)
        sum.add(duration)
    }

    private func count(_ value: Double) {
        var index = 0
        while index < bounds.count, value > bounds[index] { index += 1 }
        counts[index].wrappingAdd(1, ordering: .relaxed)
    }

    func write(name: [UInt8], labels: [UInt8], to text: inout [UInt8]) {
        // The count is made of the buckets, so that it agrees with them whatever is recorded meanwhile.
        var total = 0
        for index in 0...bounds.count {
            total += counts[index].load(ordering: .relaxed)
            text += name
            text += "_bucket{".utf8
            text += labels
            if !labels.isEmpty { text.append(UInt8(ascii: ",")) }
            text += "le=\"".utf8
            text.appendNumber(index < bounds.count ? bounds[index] : .infinity)
            text += "\"} ".utf8
            text.appendNumber(Double(total))
            text.append(UInt8(ascii: "\n"))
        }
        text.appendSample(name, "_sum", labels: labels, value: sum.value)
        text.appendSample(name, "_count", labels: labels, value: Double(total))
    }
}

/// Takes everything and keeps nothing: what was not declared, or has no room.
final class NoSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    static let shared = NoSeries()

    func increment(by amount: Int64) {}
    func increment(by amount: Double) {}
    func decrement(by amount: Double) {}
    func set(_ value: Int64) {}
    func set(_ value: Double) {}
    func record(_ value: Int64) {}
    func record(_ value: Double) {}
    func recordNanoseconds(_ duration: Int64) {}
    func reset() {}
}
