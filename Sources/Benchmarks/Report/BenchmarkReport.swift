package import Reports

/// What a benchmark found: on which machine, with which settings, in tables and plots.
package struct BenchmarkReport: Encodable, Sendable {
    /// Something that was chosen before the run and matters to the figures.
    package struct Setting: Encodable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
    }

    /// Figures of one kind. A row has a name and a figure for each column; `nil` where there is none.
    package struct Table: Encodable, Sendable {
        package struct Row: Encodable, Sendable {
            package var name: String
            package var figures: [Double?]
        }

        package var title: String
        /// Of the names in the first column.
        package var subject: String
        /// Each with its unit.
        package var columns: [String]
        package private(set) var rows: [Row] = []
        /// What a reader has to know to read it right; shown below.
        package var note = ""

        package init(_ title: String, subject: String, columns: [String], note: String = "") {
            (self.title, self.subject, self.columns, self.note) = (title, subject, columns, note)
        }

        /// As many figures as there are columns.
        package mutating func add(_ name: String, _ figures: [Double?]) {
            precondition(figures.count == columns.count, "\(figures.count) figures for \(columns.count) columns")
            rows.append(Row(name: name, figures: figures))
        }

        var markdown: String {
            var table = MarkdownTable([subject] + columns)
            for row in rows { table.add([row.name] + row.figures.map { $0?.short ?? "-" }) }
            return table.text
        }
    }

    private enum CodingKeys: CodingKey { case benchmark, machine, settings, tables }

    /// `transports`, `cluster` or `store`.
    package let benchmark: String
    package let machine: Machine
    package var settings: [Setting]
    package var tables: [Table] = []
    package var charts: [Chart] = []

    package init(_ benchmark: String, machine: Machine, settings: [Setting]) {
        (self.benchmark, self.machine, self.settings) = (benchmark, machine, settings)
    }

    /// Markdown, and readable on a terminal.
    package var text: String {
        let facts = machine.facts + settings.map { ($0.name, $0.value) }
        var text = facts.map { "- \($0): \($1)\n" }.joined()
        for table in tables {
            text += "\n**\(table.title)**\n\n\(table.markdown)"
            if !table.note.isEmpty { text += "\n\(table.note)\n" }
        }
        return text
    }

    /// All plots as one picture.
    package var svg: String { ChartSheet(charts).svg }

    /// One page with everything that needs nothing else.
    package var html: String {
        func cell(_ text: String, _ tag: String = "td") -> String { "<\(tag)>\(text.escapedForMarkup)</\(tag)>" }
        let facts = (machine.facts + settings.map { ($0.name, $0.value) }).map {
            "<tr>\(cell($0, "th"))\(cell($1))</tr>"
        }
        let tables = tables.map { table in
            let head = ([table.subject] + table.columns).map { cell($0, "th") }.joined()
            let rows = table.rows.map { row in
                "<tr>\(cell(row.name, "th"))\(row.figures.map { cell($0?.short ?? "-") }.joined())</tr>\n"
            }
            return """
                <h2>\(table.title.escapedForMarkup)</h2>
                <table><tr>\(head)</tr>
                \(rows.joined())</table>
                <p>\(table.note.escapedForMarkup)</p>

                """
        }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>auto-cluster-sync bench \(benchmark)</title>
            <style>
            body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 64em; padding: 0 1em; color: #222;
              background: #fff }
            table { border-collapse: collapse; display: block; overflow-x: auto }
            th, td { padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
            tr > :first-child { text-align: left }
            .facts td { text-align: left; white-space: normal }
            svg { width: 100%; height: auto }
            </style></head><body>
            <h1>auto-cluster-sync bench \(benchmark)</h1>
            <table class="facts">\(facts.joined())</table>
            \(tables.joined())
            \(charts.isEmpty ? "" : svg)
            </body></html>

            """
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(benchmark, forKey: .benchmark)
        try container.encode(machine, forKey: .machine)
        try container.encode(settings, forKey: .settings)
        try container.encode(tables, forKey: .tables)
    }
}
