internal import CoreMetrics
internal import Prometheus

/// Answers scrapes: asks the parts of the node what they have counted, carries that over to the metrics, and writes them.
///
/// One scrape at a time: who asks meanwhile gets the same answer, so that however many ask, and however slow the disk is
/// that is asked for the size of a file, one thread at most is taken.
actor MetricsCollector {
    private let registry: Registry
    private let read: @Sendable () async -> NodeFigures
    private var carrier: MetricsCarrier
    private var isReading = false
    private var waiting: [CheckedContinuation<[UInt8], Never>] = []

    /// `registry` has all `MetricFamilies`. `transport`: its kind, `nil` for a node that stands alone.
    init(_ registry: Registry, transport: String?, read: @escaping @Sendable () async -> NodeFigures) {
        self.registry = registry
        self.read = read
        carrier = MetricsCarrier(registry, transport: transport)
    }

    /// Who has asked during the scrape that is under way, for tests.
    var waitingCount: Int { waiting.count }

    /// All metrics in the text format, as of a moment after the last scrape had ended.
    func scrape() async -> [UInt8] {
        if isReading { return await withCheckedContinuation { waiting.append($0) } }
        isReading = true
        let figures = await read()
        carrier.carry(figures)
        let text = registry.text()
        isReading = false
        let others = waiting
        waiting = []
        for other in others { other.resume(returning: text) }
        return text
    }
}
