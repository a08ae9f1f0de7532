/// Horizontal bars of one unit, from 0.
package struct BarChart: Sendable {
    package struct Bar: Sendable {
        package var name: String
        package var value: Double
        /// Bars of one kind share a colour.
        package var kind: Int

        package init(_ name: String, _ value: Double, kind: Int = 0) {
            (self.name, self.value, self.kind) = (name, value, kind)
        }
    }

    private let title: String
    private let bars: [Bar]

    /// `title` names what is measured, and its unit.
    package init(title: String, bars: [Bar]) { (self.title, self.bars) = (title, bars) }

    var height: Int { 50 + bars.count * 24 }

    var body: String {
        var text = "<text x=\"16\" y=\"24\" font-weight=\"bold\">\(title.escapedForMarkup)</text>\n"
        let most = max(bars.map(\.value).max() ?? 0, .leastNormalMagnitude)
        for (index, bar) in bars.enumerated() {
            let y = 38 + index * 24
            let width = (max(0, bar.value) / most * 180).fixed(1)
            text += "<text x=\"180\" y=\"\(y + 12)\" text-anchor=\"end\">\(bar.name.escapedForMarkup)</text>"
            text += "<rect x=\"188\" y=\"\(y)\" width=\"\(width)\" height=\"16\" fill=\"\(Palette.colour(bar.kind))\"/>"
            text +=
                "<text x=\"\((194 + max(0, bar.value) / most * 180).fixed(1))\" y=\"\(y + 12)\">\(bar.value.short)</text>\n"
        }
        return text
    }
}
