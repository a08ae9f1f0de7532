/// Findings of planning studies as a table and as a plot.
package struct PlanningReport: Sendable {
    private let findings: [PlanningStudy.Finding]

    package init(_ findings: [PlanningStudy.Finding]) { self.findings = findings }

    package var table: String {
        var table = MarkdownTable([
            "nodes", "formed s", "50 % ms", "99 % ms", "100 % ms", "slowest ms", "not everywhere", "dup/msg",
            "idle B/s", "loaded B/s", "suspect s", "failed s", "all know s", "false pos.",
        ])
        func milliseconds(_ seconds: Double?) -> String { seconds.map { ($0 * 1_000).short } ?? "-" }
        func seconds(_ seconds: Double?) -> String { seconds?.short ?? "-" }
        for finding in findings {
            table.add([
                "\(finding.transport) \(finding.nodes)", seconds(finding.formedSeconds),
                milliseconds(finding.halfSeconds), milliseconds(finding.mostSeconds), milliseconds(finding.allSeconds),
                milliseconds(finding.slowestSeconds), "\(finding.unfinishedWrites) of \(finding.writes)",
                finding.duplicatesPerMessage.short, finding.idleBytesPerSecondAndNode.short,
                finding.loadedBytesPerSecondAndNode.short, seconds(finding.suspectedSeconds),
                seconds(finding.failedSeconds), seconds(finding.knownSeconds), "\(finding.falsePositives)",
            ])
        }
        return table.text
    }

    /// Two panels over the number of nodes, all axes logarithmic.
    package var svg: String {
        let times = Panel(
            title: "until a write is there (ms)", findings: findings,
            series: [
                ("half of the nodes", "#1b9e77", { $0.halfSeconds.map { $0 * 1_000 } }),
                ("99 %", "#7570b3", { $0.mostSeconds.map { $0 * 1_000 } }),
                ("all", "#d95f02", { $0.allSeconds.map { $0 * 1_000 } }),
                ("all, slowest write", "#666666", { $0.slowestSeconds.map { $0 * 1_000 } }),
            ])
        let traffic = Panel(
            title: "bytes per second and node", findings: findings,
            series: [
                ("idle", "#1b9e77", \.idleBytesPerSecondAndNode),
                ("under writes", "#d95f02", \.loadedBytesPerSecondAndNode),
            ])
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(2 * Panel.width) \(Panel.height)" \
            font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            \(times.svg(left: 0))\(traffic.svg(left: Panel.width))</svg>

            """
    }
}

/// One plot: lines through points, with what they mean.
private struct Panel {
    typealias Series = (name: String, colour: String, value: (PlanningStudy.Finding) -> Double?)

    static let width = 440
    static let height = 320
    private static let plot = (left: 60.0, right: 410.0, top: 40.0, bottom: 250.0)

    let title: String
    let findings: [PlanningStudy.Finding]
    let series: [Series]

    func svg(left: Int) -> String {
        var text = "<g transform=\"translate(\(left) 0)\">\n"
        text += "<text x=\"\(Self.plot.left.fixed(0))\" y=\"24\" font-weight=\"bold\">\(title)</text>\n"
        let values = findings.flatMap { finding in series.compactMap { $0.value(finding) } }.filter { $0 > 0 }
        guard let least = values.min(), let most = values.max() else { return text + "</g>\n" }
        let vertical = Axis(from: least, to: most, start: Self.plot.bottom, end: Self.plot.top)
        let nodes = findings.map { Double($0.nodes) }
        let horizontal = Axis(
            from: nodes.min() ?? 1, to: nodes.max() ?? 10, start: Self.plot.left, end: Self.plot.right)
        for tick in vertical.ticks {
            let y = vertical.place(tick).fixed(1)
            text += "<path d=\"M\(Self.plot.left) \(y)H\(Self.plot.right)\" stroke=\"#dddddd\"/>"
            text +=
                "<text x=\"\((Self.plot.left - 6).fixed(0))\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">\(tick.short)</text>\n"
        }
        for tick in horizontal.ticks {
            let x = horizontal.place(tick).fixed(1)
            text +=
                "<text x=\"\(x)\" y=\"\((Self.plot.bottom + 18).fixed(0))\" text-anchor=\"middle\">\(tick.fixed(0))</text>\n"
        }
        for (index, line) in series.enumerated() { text += draw(line, index, horizontal, vertical) }
        return text + "<text x=\"410\" y=\"284\" text-anchor=\"end\">nodes</text>\n</g>\n"
    }

    private func draw(_ line: Series, _ index: Int, _ horizontal: Axis, _ vertical: Axis) -> String {
        let points = findings.compactMap { finding -> (String, String)? in
            guard let value = line.value(finding), value > 0 else { return nil }
            return (horizontal.place(Double(finding.nodes)).fixed(1), vertical.place(value).fixed(1))
        }
        let path = points.map { "\($0.0),\($0.1)" }.joined(separator: " ")
        var text = "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(line.colour)\" stroke-width=\"2\"/>\n"
        for point in points {
            text += "<circle cx=\"\(point.0)\" cy=\"\(point.1)\" r=\"3\" fill=\"\(line.colour)\"/>\n"
        }
        let x = 60 + index % 2 * 180
        let y = 284 + index / 2 * 20
        text += "<rect x=\"\(x)\" y=\"\(y - 9)\" width=\"10\" height=\"10\" fill=\"\(line.colour)\"/>"
        return text + "<text x=\"\(x + 16)\" y=\"\(y)\">\(line.name)</text>\n"
    }
}

/// A logarithmic axis from power of ten to power of ten.
private struct Axis {
    private let low: Int
    private let high: Int
    private let start: Double
    private let end: Double

    init(from least: Double, to most: Double, start: Double, end: Double) {
        var low = 0
        while Self.power(low) > least { low -= 1 }
        while Self.power(low + 1) <= least { low += 1 }
        var high = low + 1
        while Self.power(high) < most { high += 1 }
        (self.low, self.high, self.start, self.end) = (low, high, start, end)
    }

    var ticks: [Double] { (low...high).map(Self.power) }

    func place(_ value: Double) -> Double {
        // ln(10) = 2.302585
        let decades = -Chaos.logarithm(1 / (value / Self.power(low) * 1.000_000_1)) / 2.302_585_093
        return start + (end - start) * decades / Double(high - low)
    }

    private static func power(_ exponent: Int) -> Double {
        (0..<abs(exponent)).reduce(1.0) { value, _ in exponent < 0 ? value / 10 : value * 10 }
    }
}
