/// A plot of the kind that its figures want.
package enum Chart: Sendable {
    case lines(LineChart)
    case bars(BarChart)

    /// Width of every chart in SVG's pixels.
    package static let width = 440

    var height: Int {
        switch self {
        case .lines(let chart): chart.height
        case .bars(let chart): chart.height
        }
    }

    func svg(left: Int, top: Int) -> String {
        let body =
            switch self {
            case .lines(let chart): chart.body
            case .bars(let chart): chart.body
            }
        return "<g transform=\"translate(\(left) \(top))\">\n\(body)</g>\n"
    }
}

/// Charts side by side, two in a row, as one picture.
package struct ChartSheet: Sendable {
    private let charts: [Chart]

    package init(_ charts: [Chart]) { self.charts = charts }

    /// A document of its own, readable on white and on dark pages.
    package var svg: String {
        var body = ""
        var top = 0
        for start in stride(from: 0, to: charts.count, by: 2) {
            let row = charts[start..<min(start + 2, charts.count)]
            for (column, chart) in row.enumerated() { body += chart.svg(left: column * Chart.width, top: top) }
            top += row.map(\.height).max() ?? 0
        }
        let width = Chart.width * min(charts.count, 2)
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(top)" \
            font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            \(body)</svg>

            """
    }
}

extension String {
    /// Safe inside of SVG and HTML.
    package var escapedForMarkup: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

/// Colours that people who see few of them can tell apart too (ColorBrewer's Dark2).
enum Palette {
    private static let colours = [
        "#1b9e77", "#7570b3", "#d95f02", "#666666", "#e7298a", "#66a61e", "#e6ab02", "#a6761d",
    ]

    static func colour(_ index: Int) -> String { colours[index % colours.count] }
}
