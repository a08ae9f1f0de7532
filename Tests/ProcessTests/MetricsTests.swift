import Foundation
import Prometheus
import TestSupport
import Testing

@testable import AutoClusterSync

/// What real nodes tell Prometheus.
@Suite("Metrics of processes", .serialized)
struct MetricsTests {
    @Test(
        "the figures of a cluster say what it did: writes, merges, and a node that was killed", .timeLimit(.minutes(3)),
        arguments: Transports.all)
    func cluster(transport: String) async throws {
        let cluster = try TestCluster(3, transport: transport)
        try await cluster.startAll()
        let before = try await cluster[0].scrape()
        #expect(before["acs_build_info{version=\"\(BuildInfo.version)\",transport=\"\(transport)\"}"] == 1)
        for index in 0..<40 { try await cluster[0].create("todo-\(index)", "text") }
        for index in 0..<10 { try await cluster[0].update("todo-\(index)", ["completed": true]) }
        _ = try await cluster[0].request("GET", "/todos/99999")
        _ = try await cluster[0].request("GET", "/nowhere")
        try await cluster.converged(count: 40, within: 10)

        let writer = try await cluster[0].scrape()
        #expect(writer.fallen(since: before) == [])
        #expect(writer[#"http_requests_total{operation="create-todo",status="201"}"#] == 40)
        #expect(writer[#"http_requests_total{operation="update-todo-by-extern-id",status="200"}"#] == 10)
        #expect(writer[#"http_requests_total{operation="get-todo",status="404"}"#] == 1)
        #expect(writer[#"http_requests_total{operation="none",status="404"}"#] == 1)
        #expect(writer[#"http_request_duration_seconds_count{operation="create-todo"}"#] == 40)
        #expect(writer["acs_store_todos"] == 40 && writer["acs_store_rows"] == 40)
        #expect(writer["acs_store_commit_rows_sum"] == 50)
        // One client waits for each write, so that none share a commit.
        #expect(writer["acs_store_commit_rows_count"] == 50)
        #expect(writer["acs_store_commit_duration_seconds_count"] == 50)
        #expect(writer["acs_store_database_bytes"] ?? 0 > 0 && writer["acs_store_log_bytes"] ?? 0 > 0)
        #expect(writer["acs_replication_sent_rows_total"] == 50)
        #expect(writer.sum("acs_transport_sent_messages_total") > before.sum("acs_transport_sent_messages_total"))
        for index in 1...2 {
            let reader = try await cluster[index].scrape()
            #expect(reader["acs_replication_merged_rows_total"] == 50)
            #expect(reader["acs_replication_ready"] == 1 && reader["acs_replication_synced"] == 1)
            #expect(reader[#"acs_transport_received_messages_total{channel="replication"}"#] ?? 0 >= 50)
            #expect(reader[#"acs_transport_received_bytes_total{channel="membership"}"#] ?? 0 > 0)
            #expect(reader[#"acs_membership_members{state="alive"}"#] == 3)
            #expect(reader[#"acs_replication_lag_seconds{peer="node-1"}"#] == 0)
            try await cluster.eventually("a member is probed", within: 10) {
                try await cluster[index].scrape()["acs_membership_probes_total"] ?? 0 > 0
            }
        }

        cluster.crash(2)
        try await cluster.eventually("node-1 counts node-3 as failed", within: 15) {
            let scrape = try await cluster[0].scrape()
            return scrape[#"acs_membership_members{state="failed"}"#] == 1
        }
        let after = try await cluster[0].scrape()
        #expect(after[#"acs_membership_members{state="alive"}"#] == 2)
        #expect(after["acs_membership_suspicions_total"] ?? 0 >= 1 && after["acs_membership_failures_total"] == 1)
        #expect(after[#"acs_replication_lag_seconds{peer="node-3"}"#] == nil, "who is gone has no series")
        #expect(after[#"acs_replication_lag_seconds{peer="node-2"}"#] != nil)
        #expect(after.fallen(since: writer) == [])

        try cluster.start(2)
        try await cluster.allReady()
        let (first, third) = (try await cluster[0].scrape(), try await cluster[2].scrape())
        #expect(first[#"acs_membership_members{state="failed"}"#] == 0)
        #expect(first[#"acs_membership_members{state="alive"}"#] == 3)
        try await cluster.eventually("node-3 is heard again", within: 10) {
            try await cluster[0].scrape()[#"acs_replication_lag_seconds{peer="node-3"}"#] != nil
        }
        #expect(third["acs_replication_started_walks_total"] ?? 0 >= 1, "its first sync")
        #expect(third["acs_store_todos"] == 40)
        #expect(try await cluster[0].scrape().fallen(since: after) == [])
        #expect(try Promtool.complaints(["check", "metrics"], about: first.text) == "")
        #expect(first["prometheus_refused_series_total{cause=\"undeclared\"}"] == 0)
        #expect(first["prometheus_refused_series_total{cause=\"limit\"}"] == 0)
    }

    @Test("a first sync is told of, in rows and bytes, on both sides", arguments: Transports.all)
    func firstSync(transport: String) async throws {
        let cluster = try TestCluster(2, transport: transport)
        try cluster.start(0)
        try await cluster.ready(0)
        for index in 0..<200 { try await cluster[0].create("todo-\(index)", String(repeating: "x", count: 100)) }
        try cluster.start(1)
        try await cluster.allReady()
        let (donor, joiner) = (try await cluster[0].scrape(), try await cluster[1].scrape())
        #expect(joiner[#"acs_replication_walk_rows_total{direction="received"}"#] ?? 0 >= 200)
        #expect(joiner["acs_replication_merged_rows_total"] == 200)
        #expect(joiner[#"acs_replication_exchange_bytes_total{direction="received"}"#] ?? 0 > 20_000)
        #expect(donor[#"acs_replication_walk_rows_total{direction="sent"}"#] ?? 0 >= 200)
        #expect(donor[#"acs_replication_exchange_bytes_total{direction="sent"}"#] ?? 0 > 20_000)
        #expect(donor["acs_replication_served_walks_total"] ?? 0 >= 1)
        #expect(joiner["acs_replication_productive_walks_total"] ?? 0 >= 1)
    }

    @Test("a node that stands alone has every family from its first scrape, and Prometheus' own tool is content")
    func standsAlone() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("acs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let port = try FreePorts.take(1)[0]
        let node = try NodeProcess(["-port", "\(port)", "-db", "todos.db"], in: directory, log: "node.log")
        let rest = REST(port: port)
        let deadline = ContinuousClock.now + .seconds(30)
        var answer: REST.Response?
        while answer == nil, node.isRunning, ContinuousClock.now < deadline {
            answer = try? await rest.request("GET", "/metrics")
            if answer == nil { try await Task.sleep(for: .milliseconds(5)) }
        }
        let text = String(decoding: try #require(answer).body, as: UTF8.self)
        let scrape = try Scrape(text)
        for family in MetricFamilies.all {
            #expect(text.contains("# TYPE \(family.name) \(family.kind.typeName)\n"))
            if family.labels.isEmpty, family.kind.typeName != "histogram" { #expect(scrape[family.name] != nil) }
        }
        #expect(scrape["acs_replication_ready"] == 1 && scrape["http_requests_in_flight"] == 1)
        #expect(scrape["http_connections"] ?? 0 >= 1)
        let resident = Double(node.residentBytes)
        #expect(abs((scrape["process_resident_memory_bytes"] ?? 0) - resident) < resident / 2)
        #expect(scrape["process_open_fds"] ?? 0 > 3 && scrape["process_threads"] ?? 0 > 1)
        #expect(try Promtool.complaints(["check", "metrics"], about: text) == "")
        node.signal(SIGTERM)
        #expect(node.waitForExit(seconds: 10) == NodeProcess.Exit(status: 0, wasSignal: false))
    }

    @Test("the example configurations are some that Prometheus takes, and the tool would say if they were not")
    func exampleConfigurations() throws {
        #expect(try Promtool.complaints(["check", "config", Promtool.file("deploy/prometheus.yml")]) == "")
        let files = try TestCertificates()
        try files.selfSigned("node")
        let example = try String(contentsOfFile: Promtool.file("deploy/prometheus-tls.yml"), encoding: .utf8)
        for line in ["scheme: https", "credentials_file: token", "ca_file: node.pem"] {
            #expect(example.split(separator: "\n").contains { $0.hasSuffix(" \(line)") })
        }
        let path = try files.write(example, to: "prometheus.yml")
        #expect(try Promtool.complaints(["check", "config", path]) != "", "the file of the token is missing")
        _ = try files.write("a-token-of-a-client\n", to: "token")
        #expect(try Promtool.complaints(["check", "config", path]) == "")
        #expect(try Promtool.complaints(["check", "metrics"], about: "# TYPE a_total gauge\na_total 1\n") != "")
    }
}
