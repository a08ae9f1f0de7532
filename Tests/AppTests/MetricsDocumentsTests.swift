import Foundation
import Prometheus
import Testing

@testable import AutoClusterSync

/// What is written about the metrics elsewhere agrees with what is declared.
@Suite("Documents of the metrics")
struct MetricsDocumentsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let families = Registry(MetricFamilies.all).families

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("docs/metrics.md has a row for each family, in their order, and no other")
    func table() throws {
        let rows = try text("docs/metrics.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
        let expected = Self.families.map { family in
            let labels = family.labels.map { "`\($0.name)`" }.joined(separator: ", ")
            return "| `\(family.name)` | \(family.kind.typeName) | \(labels) | \(family.help) |"
        }
        for (row, wanted) in zip(rows, expected) where row != wanted {
            Issue.record("the table says\n\(row)\nand should say\n\(wanted)")
        }
        #expect(rows.count == expected.count)
    }

    @Test("deploy/grafana.json is a dashboard whose every query is about declared metrics and their labels")
    func dashboard() throws {
        let data = Data(try text("deploy/grafana.json").utf8)
        let root = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(root["schemaVersion"] as? Int ?? 0 >= 38 && root["title"] as? String == "auto-cluster-sync")
        let variables = (root["templating"] as? [String: Any])?["list"] as? [[String: Any]] ?? []
        #expect(variables.compactMap { $0["name"] as? String } == ["datasource", "instance"])
        let panels = root["panels"] as? [[String: Any]] ?? []
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        let expressions = Self.strings("expr", in: root) + Self.strings("query", in: root)
        #expect(expressions.count > 30)
        var used: Set<String> = []
        for expression in expressions {
            let (names, labels) = Self.words(of: expression)
            for name in names {
                let family =
                    Self.families.first { $0.name == name }
                    ?? Self.families.first { family in
                        guard case .histogram = family.kind else { return false }
                        return ["_bucket", "_sum", "_count"].contains { family.name + $0 == name }
                    }
                #expect(family != nil, "\(name) is not declared: \(expression)")
                if let family { used.insert(family.name) }
            }
            for label in labels {
                #expect(Self.families.contains { $0.labels.contains { $0.name == label } }, "\(label): \(expression)")
            }
        }
        #expect(used.count > 40)
        for panel in panels where panel["type"] as? String != "row" {
            #expect((panel["datasource"] as? [String: Any])?["uid"] as? String == "${datasource}")
            #expect((panel["targets"] as? [Any])?.isEmpty == false)
        }
    }

    /// All texts under that key, however deep.
    private static func strings(_ key: String, in value: Any) -> [String] {
        if let list = value as? [Any] { return list.flatMap { strings(key, in: $0) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.sorted { $0.key < $1.key }.flatMap { name, value in
            if name == key, let text = value as? String { return [text] }
            return strings(key, in: value)
        }
    }

    /// Names of metrics in a query, and of labels, but for those that Prometheus adds.
    private static func words(of expression: String) -> (names: [String], labels: [String]) {
        let names = expression.matches(of: /\b(?:acs|http|process|prometheus)_[a-z_]+/).map { String($0.output) }
        var labels = expression.matches(of: /([a-z_]+)\s*(?:=~|!~|!=|=)\s*"/).map { String($0.output.1) }
        for group in expression.matches(of: /\bby\s*\(([^)]*)\)/) {
            labels += group.output.1.split { $0 == "," || $0 == " " }.map(String.init)
        }
        return (names, labels.filter { !["instance", "job", "le"].contains($0) })
    }
}
