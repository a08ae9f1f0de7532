/// A table that reads well on a terminal and is Markdown too.
package struct MarkdownTable: Sendable {
    private var rows: [[String]]

    package init(_ header: [String]) { rows = [header] }

    /// As many cells as the header has.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == rows[0].count, "\(cells.count) cells in a table of \(rows[0].count)")
        rows.append(cells)
    }

    /// Lines, each with its end.
    package var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        func line(_ cells: [String]) -> String {
            let padded = cells.enumerated().map { index, cell in
                // Names to the left, figures to the right.
                let space = String(repeating: " ", count: widths[index] - cell.count)
                return index == 0 ? cell + space : space + cell
            }
            return "| " + padded.joined(separator: " | ") + " |\n"
        }
        let rule = widths.enumerated().map { index, width in
            index == 0 ? String(repeating: "-", count: width + 2) : String(repeating: "-", count: width + 1) + ":"
        }
        return line(rows[0]) + "|" + rule.joined(separator: "|") + "|\n" + rows.dropFirst().map(line).joined()
    }
}

extension Double {
    /// With three significant digits, or none behind the point where it is large.
    package var short: String {
        if self == 0 { return "0" }
        var value = abs(self)
        var decimals = 2
        while value < 1, decimals < 6 {
            value *= 10
            decimals += 1
        }
        while value >= 10, decimals > 0 {
            value /= 10
            decimals -= 1
        }
        return fixed(decimals)
    }

    /// With so many digits behind the point, the same on every machine.
    package func fixed(_ decimals: Int) -> String {
        let scale = (0..<decimals).reduce(1.0) { value, _ in value * 10 }
        let scaled = (abs(self) * scale).rounded()
        guard scaled < 1e15 else { return "\(self)" }
        let whole = Int(scaled)
        let sign = self < 0 && whole > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(whole)" }
        let digits = String(whole % Int(scale))
        let zeros = String(repeating: "0", count: decimals - digits.count)
        return "\(sign)\(whole / Int(scale)).\(zeros)\(digits)"
    }
}
