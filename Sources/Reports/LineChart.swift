internal import Glibc

/// Lines through points, both axes logarithmic. What is not above 0 is left out.
package struct LineChart: Sendable {
    package struct Point: Sendable {
        package var x: Double
        package var y: Double

        package init(x: Double, y: Double) { (self.x, self.y) = (x, y) }
    }

    package struct Series: Sendable {
        package var name: String
        package var points: [Point]

        package init(name: String, points: [Point]) { (self.name, self.points) = (name, points) }
    }

    private static let left = 60.0
    private static let right = 410.0
    private static let top = 40.0
    private static let bottom = 250.0

    private let title: String
    private let horizontal: String
    private let series: [Series]

    /// `title` names the vertical axis and its unit, `horizontal` the other one.
    package init(title: String, horizontal: String, series: [Series]) {
        (self.title, self.horizontal) = (title, horizontal)
        self.series = series.map { Series(name: $0.name, points: $0.points.filter { $0.x > 0 && $0.y > 0 }) }
    }

    var height: Int { 290 + (series.count + 1) / 2 * 20 }

    var body: String {
        var text = "<text x=\"60\" y=\"24\" font-weight=\"bold\">\(title.escapedForMarkup)</text>\n"
        let points = series.flatMap(\.points)
        let (ys, xs) = (points.map(\.y), points.map(\.x))
        guard let least = ys.min(), let most = ys.max(), let first = xs.min(), let last = xs.max() else { return text }
        let vertical = LogarithmicAxis(from: least, to: most, start: Self.bottom, end: Self.top)
        let across = LogarithmicAxis(from: first, to: last, start: Self.left, end: Self.right)
        for tick in vertical.ticks {
            let y = vertical.place(tick).fixed(1)
            text += "<path d=\"M\(Self.left.fixed(0)) \(y)H\(Self.right.fixed(0))\" stroke=\"#dddddd\"/>"
            text += "<text x=\"54\" y=\"\(y)\" dy=\"4\" text-anchor=\"end\">\(tick.short)</text>\n"
        }
        for tick in across.ticks {
            text += "<text x=\"\(across.place(tick).fixed(1))\" y=\"268\" text-anchor=\"middle\">\(tick.short)</text>\n"
        }
        for (index, line) in series.enumerated() { text += draw(line, index, across, vertical) }
        return text + "<text x=\"410\" y=\"284\" text-anchor=\"end\">\(horizontal.escapedForMarkup)</text>\n"
    }

    private func draw(
        _ line: Series, _ index: Int, _ across: LogarithmicAxis, _ vertical: LogarithmicAxis
    ) -> String {
        let colour = Palette.colour(index)
        let points = line.points.map { (across.place($0.x).fixed(1), vertical.place($0.y).fixed(1)) }
        let path = points.map { "\($0.0),\($0.1)" }.joined(separator: " ")
        var text = "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>\n"
        for point in points {
            text += "<circle cx=\"\(point.0)\" cy=\"\(point.1)\" r=\"3\" fill=\"\(colour)\"/>\n"
        }
        let x = 60 + index % 2 * 180
        let y = 300 + index / 2 * 20
        text += "<rect x=\"\(x)\" y=\"\(y - 9)\" width=\"10\" height=\"10\" fill=\"\(colour)\"/>"
        return text + "<text x=\"\(x + 16)\" y=\"\(y)\">\(line.name.escapedForMarkup)</text>\n"
    }
}

/// A logarithmic axis from power of ten to power of ten.
private struct LogarithmicAxis {
    private let low: Double
    private let high: Double
    private let start: Double
    private let end: Double

    init(from least: Double, to most: Double, start: Double, end: Double) {
        low = log10(least).rounded(.down)
        high = max(log10(most).rounded(.up), low + 1)
        (self.start, self.end) = (start, end)
    }

    /// At most eleven, so that they do not run into each other.
    var ticks: [Double] {
        let step = max(1, ((high - low) / 10).rounded(.up))
        return stride(from: low, through: high, by: step).map { pow(10, $0) }
    }

    func place(_ value: Double) -> Double { start + (end - start) * (log10(value) - low) / (high - low) }
}
