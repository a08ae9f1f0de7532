import CoreMetrics
import Foundation
import Prometheus
import Testing

/// What the registry writes, to the byte.
@Suite("The text that Prometheus reads")
struct RegistryTests {
    @Test("counters, gauges and histograms are written as the format wants them")
    func text() {
        let registry = Registry([
            MetricFamily("jobs_total", .counter, labels: [.init("kind", ["a", "b"])], help: "Jobs done."),
            MetricFamily("heat", .gauge, help: "Now."),
            MetricFamily("wait_seconds", .histogram(bounds: [0.005, 0.1, 1]), unit: .seconds, help: "Waiting."),
            MetricFamily("rows", .histogram(bounds: [1, 8]), labels: [.init("table")], help: "Rows."),
        ])
        Counter(label: "jobs_total", dimensions: [("kind", "b")], factory: registry).increment(by: 3)
        Meter(label: "heat", factory: registry).set(-1.5)
        let timer = Timer(label: "wait_seconds", factory: registry)
        for nanoseconds: Int64 in [5_000_000, 5_000_001, 50_000_000, 2_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        let recorder = Recorder(label: "rows", dimensions: [("table", "t")], factory: registry)
        recorder.record(8)
        recorder.record(0.5)
        #expect(
            registry.lines(before: "# HELP prometheus_refused_series_total") == """
                # HELP jobs_total Jobs done.
                # TYPE jobs_total counter
                jobs_total{kind="a"} 0
                jobs_total{kind="b"} 3
                # HELP heat Now.
                # TYPE heat gauge
                heat -1.5
                # HELP wait_seconds Waiting.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.005"} 1
                wait_seconds_bucket{le="0.1"} 3
                wait_seconds_bucket{le="1"} 3
                wait_seconds_bucket{le="+Inf"} 4
                wait_seconds_sum 2.060000001
                wait_seconds_count 4
                # HELP rows Rows.
                # TYPE rows histogram
                rows_bucket{table="t",le="1"} 1
                rows_bucket{table="t",le="8"} 2
                rows_bucket{table="t",le="+Inf"} 2
                rows_sum{table="t"} 8.5
                rows_count{table="t"} 2

                """)
    }

    @Test("every family is there before anything was counted, with the series whose labels are known")
    func zero() {
        let registry = Registry([
            MetricFamily("a_total", .counter, help: "A."),
            MetricFamily("b", .gauge, labels: [.init("x", ["1", "2"]), .init("y", ["3"])], help: "B."),
            MetricFamily("c", .gauge, labels: [.init("peer")], help: "C."),
        ])
        #expect(
            registry.text == """
                # HELP a_total A.
                # TYPE a_total counter
                a_total 0
                # HELP b B.
                # TYPE b gauge
                b{x="1",y="3"} 0
                b{x="2",y="3"} 0
                # HELP c C.
                # TYPE c gauge
                # HELP prometheus_refused_series_total \(Registry.refusedSeries.help)
                # TYPE prometheus_refused_series_total counter
                prometheus_refused_series_total{cause="undeclared"} 0
                prometheus_refused_series_total{cause="limit"} 0

                """)
    }

    @Test("label values and help texts cannot break out of their place")
    func escaping() {
        let registry = Registry([
            MetricFamily("lag", .gauge, labels: [.init("peer")], help: "A \\ and a \"quote\"\nand a line.")
        ])
        Meter(label: "lag", dimensions: [("peer", "x\"} 1\nfake{a=\"\\")], factory: registry).set(1)
        Meter(label: "lag", dimensions: [("peer", "🦀\u{0}\r")], factory: registry).set(2)
        #expect(
            registry.lines(before: "# HELP prometheus_refused_series_total") == #"""
                # HELP lag A \\ and a "quote"\nand a line.
                # TYPE lag gauge
                lag{peer="x\"} 1\nfake{a=\"\\"} 1

                """# + "lag{peer=\"🦀\u{0}\r\"} 2\n")
    }

    @Test("names that Swift calls equal, with other bytes, are other series")
    func bytes() {
        let registry = Registry([MetricFamily("lag", .gauge, labels: [.init("peer")], help: "H.")])
        Meter(label: "lag", dimensions: [("peer", "\u{e9}")], factory: registry).set(1)
        Meter(label: "lag", dimensions: [("peer", "e\u{301}")], factory: registry).set(2)
        #expect(registry.text.utf8.count { $0 == UInt8(ascii: "{") } == 4)
    }

    @Test("numbers that are none, or have no end, are written as Go reads them")
    func numbers() {
        let registry = Registry([MetricFamily("n", .gauge, labels: [.init("of")], help: "N.")])
        let values: [(String, Double, String)] = [
            ("nan", .nan, "NaN"), ("up", .infinity, "+Inf"), ("down", -.infinity, "-Inf"), ("zero", -0.0, "0"),
            ("large", 1e300, "1e+300"), ("small", 1e-7, "1e-07"), ("whole", 9_007_199_254_740_991, "9007199254740991"),
        ]
        for (name, value, _) in values { Meter(label: "n", dimensions: [("of", name)], factory: registry).set(value) }
        for (name, _, text) in values { #expect(registry.text.contains("n{of=\"\(name)\"} \(text)\n"), "\(name)") }
    }
}

extension Registry {
    var text: String { String(decoding: text() as [UInt8], as: UTF8.self) }

    func lines(before end: String) -> String {
        let text = text
        return text.range(of: end).map { String(text[..<$0.lowerBound]) } ?? text
    }

    /// The value behind `series`, which is a name with its labels.
    func value(_ series: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }.map { String($0.dropFirst(series.count + 1)) }
    }
}
