import Benchmarks
import Foundation
import FoundationXML
import Reports
import Testing

@Suite("Reports")
struct ReportTests {
    @Test("Tables line up, and figures have three digits")
    func table() {
        var table = MarkdownTable(["name", "n"])
        table.add(["a", "100"])
        #expect(table.text == "| name |   n |\n|------|----:|\n| a    | 100 |\n")
        #expect(
            [0, 0.01234, 0.5, 1.2345, 12.345, 123.45, 12_345].map(\.short) == [
                "0", "0.0123", "0.500", "1.23", "12.3", "123", "12345",
            ])
        #expect((-0.04).fixed(1) == "0.0" && (-1.26).fixed(1) == "-1.3")
    }

    @Test("A sheet of charts is well-formed XML, whatever the names and the figures")
    func charts() throws {
        let lines = LineChart(
            title: "a < b & \"c\"", horizontal: "<x>",
            series: [
                .init(name: "one & only", points: [.init(x: 1, y: 0.001), .init(x: 1e6, y: 1e9)]),
                .init(name: "nothing", points: []), .init(name: "not positive", points: [.init(x: 0, y: -1)]),
            ])
        let bars = BarChart(
            title: "bars", bars: [.init("<none>", 0), .init("some", 12_345, kind: 9), .init("less", -1)])
        let empty = LineChart(title: "empty", horizontal: "x", series: [])
        let svg = ChartSheet([.lines(lines), .bars(bars), .lines(empty)]).svg
        #expect(XMLParser(data: Data(svg.utf8)).parse())
        #expect(svg.contains("one &amp; only") && !svg.contains("nan") && !svg.contains("inf"))
        #expect(XMLParser(data: Data(ChartSheet([]).svg.utf8)).parse())
    }

    @Test("A report has the machine, the settings and every figure as text, as JSON and as a page")
    func report() throws {
        let machine = Machine(directory: "/", version: "1.2.3")
        var report = BenchmarkReport("store", machine: machine, settings: [.init("rows", "100 & more")])
        var table = BenchmarkReport.Table(
            "Creates", subject: "writers", columns: ["a second", "of C"], note: "How <it> was.")
        table.add("64", [12_345, nil])
        report.tables.append(table)
        report.charts.append(.bars(BarChart(title: "creates", bars: [.init("64", 12_345)])))

        #expect(report.text.contains("- rows: 100 & more\n") && report.text.contains("SQLite 3."))
        #expect(report.text.contains("| 64      |    12345 |    - |\n"))
        #expect(report.html.contains("<td>12345</td><td>-</td>") && report.html.contains("How &lt;it&gt; was."))
        let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(report)) as? [String: Any]
        let tables = try #require(json?["tables"] as? [[String: Any]])
        let row = try #require((tables[0]["rows"] as? [[String: Any]])?.first)
        #expect(row["name"] as? String == "64" && (row["figures"] as? [Any])?.first as? Double == 12_345)
        #expect((json?["machine"] as? [String: Any])?["version"] as? String == "1.2.3")
    }
}
