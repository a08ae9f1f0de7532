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
