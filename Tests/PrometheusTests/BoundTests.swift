import CoreMetrics
import Dispatch
import Prometheus
import Testing

/// What the registry does not take, and what it keeps to.
@Suite("The bounds of the registry")
struct BoundTests {
    private let registry = Registry([
        MetricFamily("a_total", .counter, help: "A."),
        MetricFamily("b", .gauge, labels: [.init("peer")], seriesLimit: 3, help: "B."),
        MetricFamily("c_seconds", .histogram(bounds: [1]), unit: .seconds, help: "C."),
        MetricFamily("d", .histogram(bounds: [1]), labels: [.init("kind", ["x"])], help: "D."),
    ])

    @Test("what was not declared so takes values, shows nothing, and is counted")
    func undeclared() {
        let before = registry.seriesCount
        Counter(label: "library_total", factory: registry).increment()
        Counter(label: "a_total", dimensions: [("more", "1")], factory: registry).increment()
        FloatingPointCounter(label: "b", dimensions: [("peer", "p")], factory: registry).increment(by: 0.5)
        Meter(label: "a_total", factory: registry).set(1)
        Recorder(label: "c_seconds", factory: registry).record(1)
        Timer(label: "d", dimensions: [("kind", "x")], factory: registry).recordNanoseconds(1)
        Recorder(label: "d", dimensions: [("kind", "unknown")], factory: registry).record(1)
        Gauge(label: "nothing", factory: registry).record(1)
        #expect(registry.value("prometheus_refused_series_total{cause=\"undeclared\"}") == "8")
        #expect(registry.seriesCount == before)
        #expect(registry.value("a_total") == "0")
    }

    @Test("series beyond the limit are counted and not kept, and there is room again once one goes")
    func limit() {
        let meters = (0..<5).map { Meter(label: "b", dimensions: [("peer", "\($0)")], factory: registry) }
        for (index, meter) in meters.enumerated() { meter.set(index + 10) }
        #expect(registry.value("b{peer=\"2\"}") == "12")
        #expect(registry.value("b{peer=\"3\"}") == nil)
        #expect(registry.value("prometheus_refused_series_total{cause=\"limit\"}") == "2")
        meters[4].destroy()
        meters[1].destroy()
        #expect(registry.value("b{peer=\"1\"}") == nil)
        Meter(label: "b", dimensions: [("peer", "4")], factory: registry).set(7)
        #expect(registry.value("b{peer=\"4\"}") == "7" && registry.value("b{peer=\"2\"}") == "12")
    }

    @Test("the same series made again is the same; one that is always there survives being destroyed")
    func identity() {
        let counter = Counter(label: "a_total", factory: registry)
        counter.increment()
        Counter(label: "a_total", factory: registry).increment(by: 2)
        counter.destroy()
        #expect(registry.value("a_total") == "3")
        Meter(label: "b", dimensions: [("peer", "p")], factory: registry).increment(by: 2.5)
        Gauge(label: "b", dimensions: [("peer", "q")], factory: registry).record(4)
        Meter(label: "b", dimensions: [("peer", "p")], factory: registry).decrement(by: 1)
        #expect(registry.value("b{peer=\"p\"}") == "1.5" && registry.value("b{peer=\"q\"}") == "4")
    }

    @Test("a counter never falls, and a histogram takes nothing negative")
    func negative() {
        let counter = Counter(label: "a_total", factory: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        let sum = FloatingPointCounter(label: "a_total", factory: registry)
        sum.increment(by: 0.25)
        sum.increment(by: -1)
        sum.increment(by: Double.nan)
        #expect(registry.value("a_total") == "5.25")
        let recorder = Recorder(label: "d", dimensions: [("kind", "x")], factory: registry)
        recorder.record(-1)
        recorder.record(-Double.infinity)
        recorder.record(Double.nan)
        Timer(label: "c_seconds", factory: registry).recordNanoseconds(-1)
        #expect(registry.value("d_count{kind=\"x\"}") == "0" && registry.value("c_seconds_count") == "0")
    }

    @Test("nothing is lost when many threads count at once, and buckets and count always agree")
    func threads() {
        let counter = Counter(label: "a_total", factory: registry)
        let recorder = Recorder(label: "d", dimensions: [("kind", "x")], factory: registry)
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for round in 0..<10_000 {
                counter.increment()
                recorder.record(0.5)
                if thread == 0, round % 1_000 == 0 {
                    let lines = registry.text.split(separator: "\n")
                    let last = lines.first { $0.hasPrefix("d_bucket{kind=\"x\",le=\"+Inf\"}") }?.split(separator: " ")
                        .last
                    #expect(last == lines.first { $0.hasPrefix("d_count") }?.split(separator: " ").last)
                }
            }
        }
        #expect(registry.value("a_total") == "80000")
        #expect(registry.value("d_count{kind=\"x\"}") == "80000" && registry.value("d_sum{kind=\"x\"}") == "40000")
    }

    @Test(
        "a declaration that Prometheus would not take, or that breaks its rules for names, is a fault",
        arguments: [
            MetricFamily("", .gauge, help: "H."), MetricFamily("1a", .gauge, help: "H."),
            MetricFamily("a-b", .gauge, help: "H."), MetricFamily("ä", .gauge, help: "H."),
            MetricFamily("a", .gauge, help: ""), MetricFamily("a", .counter, help: "H."),
            MetricFamily("a_total", .gauge, help: "H."), MetricFamily("a", .gauge, unit: .bytes, help: "H."),
            MetricFamily("a_total", .counter, unit: .seconds, help: "H."),
            MetricFamily("a", .gauge, labels: [.init("le")], help: "H."),
            MetricFamily("a", .gauge, labels: [.init("__x")], help: "H."),
            MetricFamily("a", .gauge, labels: [.init("x"), .init("x")], help: "H."),
            MetricFamily("a", .histogram(bounds: []), help: "H."),
            MetricFamily("a", .histogram(bounds: [1, 1]), help: "H."),
            MetricFamily("a", .histogram(bounds: [.infinity]), help: "H."),
            MetricFamily("a", .gauge, seriesLimit: 0, help: "H."),
        ])
    func faults(family: MetricFamily) {
        #expect(family.fault != nil)
    }
}
