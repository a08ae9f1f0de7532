internal import Reports

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

    /// Two charts over the number of nodes, all axes logarithmic.
    package var svg: String {
        ChartSheet([
            chart(
                "until a write is there (ms)",
                [
                    ("half of the nodes", { $0.halfSeconds.map { $0 * 1_000 } }),
                    ("99 %", { $0.mostSeconds.map { $0 * 1_000 } }),
                    ("all", { $0.allSeconds.map { $0 * 1_000 } }),
                    ("all, slowest write", { $0.slowestSeconds.map { $0 * 1_000 } }),
                ]),
            chart(
                "bytes per second and node",
                [
                    ("idle", \.idleBytesPerSecondAndNode), ("under writes", \.loadedBytesPerSecondAndNode),
                ]),
        ]).svg
    }

    private func chart(
        _ title: String, _ series: [(name: String, value: (PlanningStudy.Finding) -> Double?)]
    ) -> Chart {
        .lines(
            LineChart(
                title: title, horizontal: "nodes",
                series: series.map { name, value in
                    LineChart.Series(
                        name: name,
                        points: findings.compactMap { finding in
                            value(finding).map { LineChart.Point(x: Double(finding.nodes), y: $0) }
                        })
                }))
    }
}
