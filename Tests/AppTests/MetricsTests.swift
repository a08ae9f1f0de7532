import CoreMetrics
import Cluster
import Membership
import NIOConcurrencyHelpers
import Prometheus
import Replication
import Runtime
import Store
import Testing
import Transport

@testable import AutoClusterSync

/// What the parts of a node have counted, carried over to metrics.
@Suite("Metrics of a node")
struct MetricsTests {
    private let registry = Registry(MetricFamilies.all)

    @Test("Every declared family is one that Prometheus takes, under a name of its own, and described once")
    func families() {
        let families = MetricFamilies.all
        #expect(families.compactMap(\.fault) == [])
        #expect(Set(families.map(\.name)).count == families.count)
        #expect(Set(families.map(\.help)).count == families.count)
        #expect(families.allSatisfy { $0.help.hasSuffix(".") })
    }

    @Test("A node that stands alone shows every family; what has no labels, or known ones, is there at zero")
    func standsAlone() {
        var carrier = MetricsCarrier(registry, transport: nil)
        var figures = NodeFigures()
        figures.isReady = true
        carrier.carry(figures)
        for family in MetricFamilies.all {
            #expect(registry.text.contains("\n# TYPE \(family.name) \(family.kind.typeName)\n"), "\(family.name)")
        }
        #expect(registry.value(MetricName.ready) == 1 && registry.value(MetricName.synced) == 1)
        #expect(registry.value(#"acs_build_info{version="\#(BuildInfo.version)",transport="none"}"#) == 1)
        #expect(registry.value(#"acs_membership_members{state="alive"}"#) == 0)
        #expect(registry.value(#"acs_transport_dropped_messages_total{cause="send_queue_full"}"#) == 0)
        #expect(registry.value(#"acs_transport_refusals_total{reason="too_many_exchanges"}"#) == 0)
        #expect(!registry.text.contains("acs_replication_lag_seconds{"))
        #expect(registry.value(#"prometheus_refused_series_total{cause="undeclared"}"#) == 0)
    }

    @Test("Counters take what was added since the last scrape, and nothing of figures that are older")
    func deltas() {
        var carrier = MetricsCarrier(registry, transport: "udp")
        var figures = NodeFigures.sample
        carrier.carry(figures)
        #expect(registry.value(MetricName.mergedRows) == 10)
        figures.replication?.stats.mergedRows = 25
        figures.transport?.replication.sent = .init(messages: 3, bytes: 300)
        figures.transport?.drops = [.lost: 4]
        carrier.carry(figures)
        carrier.carry(.sample)
        carrier.carry(figures)
        #expect(registry.value(MetricName.mergedRows) == 25)
        #expect(registry.value(#"acs_transport_sent_bytes_total{channel="replication"}"#) == 300)
        #expect(registry.value(#"acs_transport_sent_bytes_total{channel="membership"}"#) == 0)
        #expect(registry.value(#"acs_transport_dropped_messages_total{cause="lost"}"#) == 4)
        #expect(registry.value(MetricName.probes) == 7)
    }

    @Test("Each figure goes to a family of its own")
    func eachFigure() throws {
        var carrier = MetricsCarrier(registry, transport: "udp")
        carrier.carry(.sample)
        let before = registry.text
        var figures = NodeFigures.sample
        let stats: [WritableKeyPath<ReplicationStats, Int>] = [
            \.sentMessages, \.pushedMessages, \.sentRows, \.receivedMessages, \.receivedRows, \.duplicateMessages,
            \.malformedMessages, \.unknownVersions, \.unknownRecords, \.relayedMessages, \.mergedRows, \.aheadRows,
            \.failedMerges, \.gaps, \.pulledGaps,
            \.sentPulls, \.receivedPulls, \.answeredPulls, \.startedWalks, \.productiveWalks, \.failedWalks,
            \.servedWalks, \.walkRowsSent, \.walkRowsReceived, \.walkRoundTrips,
        ]
        for (index, path) in stats.enumerated() { figures.replication?.stats[keyPath: path] = 10_000 + index }
        carrier.carry(figures)
        let lines = Set(registry.text.split(separator: "\n")).subtracting(before.split(separator: "\n"))
        let values = lines.compactMap { line in line.split(separator: " ").last.flatMap { Int($0) } }
        #expect(values.sorted() == (0..<stats.count).map { 10_000 + $0 })
    }

    @Test("A peer has a lag while it is there; one that comes back under another name has another series")
    func peers() {
        var carrier = MetricsCarrier(registry, transport: "udp")
        var figures = NodeFigures.sample
        func lag(_ peer: String) -> Double? { registry.value("acs_replication_lag_seconds{peer=\"\(peer)\"}") }
        carrier.carry(figures)
        #expect(lag("b") == 1.5 && lag("c") == nil)

        figures.replication?.peers[1].lag = .zero
        figures.replication?.peers[0].lag = .seconds(-1)
        carrier.carry(figures)
        #expect(lag("b") == 0 && lag("c") == 0)

        figures.membership?.names[NodeID(2)] = "b\"2"
        figures.replication?.peers.removeLast()
        carrier.carry(figures)
        #expect(lag("b") == nil && lag("c") == nil && lag(#"b\"2"#) == 0)

        figures.replication?.peers = []
        carrier.carry(figures)
        #expect(!registry.text.contains("acs_replication_lag_seconds{"))
        #expect(registry.value(MetricName.mergedRows) == 10, "the node's own counters stay")

        carrier.carry(.sample)
        #expect(lag("b") == 1.5)
    }

    @Test("Who asks during a scrape gets its answer: one at a time asks the node")
    func oneAtATime() async {
        let gate = BatchQueue<Void>(maxCount: 1)
        let reads = NIOLockedValueBox(0)
        let collector = MetricsCollector(registry, transport: nil) {
            reads.withLockedValue { $0 += 1 }
            _ = await gate.next()
            return NodeFigures()
        }
        let answers = await withTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<20 { group.addTask { await collector.scrape() } }
            while await collector.waitingCount < 19 { await Task.yield() }
            gate.append([()])
            return await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(answers.count == 1 && reads.withLockedValue { $0 } == 1)
        gate.append([()])
        _ = await collector.scrape()
        #expect(reads.withLockedValue { $0 } == 2)
    }

    @Test("The kernel's figures of this process are plausible, and processor time moves")
    func system() {
        var figures = SystemFigures()
        figures.readProcess()
        #expect(figures.residentBytes > 1 << 20 && figures.virtualBytes > figures.residentBytes)
        #expect(figures.threads >= 1 && figures.openDescriptors >= 3)
        #expect(figures.maxDescriptors >= Int64(figures.openDescriptors))
        let now = Double(WallClock.milliseconds()) / 1_000
        #expect(figures.startTime > now - 100_000 && figures.startTime <= now + 1)
        let before = figures.processorSeconds
        let deadline = ContinuousClock.now + .seconds(10)
        while figures.processorSeconds <= before, ContinuousClock.now < deadline { figures.readProcess() }
        #expect(figures.processorSeconds > before)
    }
}

extension NodeFigures {
    /// Of a node with two peers, of which one has not been heard.
    static var sample: Self {
        var figures = NodeFigures()
        var stats = ReplicationStats()
        stats.mergedRows = 10
        figures.replication = ReplicationFigures(
            stats: stats, isReady: true, isSynced: true, openGaps: 0,
            traffic: ExchangeTraffic(sentBytes: 5, receivedBytes: 6),
            peers: [
                PeerReplicationStatus(nodeID: NodeID(2), lag: .milliseconds(1_500)),
                PeerReplicationStatus(nodeID: NodeID(3), lag: nil),
            ])
        var membership = MembershipStats()
        membership.probes = 7
        figures.membership = MembershipFigures(
            stats: membership, malformedMessages: 0, members: [.alive: 3], unconfirmedMembers: 0, localHealth: 0,
            names: [NodeID(2): "b", NodeID(3): "c"])
        figures.transport = TransportStats()
        return figures
    }
}

extension Registry {
    var text: String { String(decoding: text() as [UInt8], as: UTF8.self) }

    /// Of the sample with that name and those labels.
    func value(_ series: String) -> Double? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Double($0.dropFirst(series.count + 1)) }
    }
}
