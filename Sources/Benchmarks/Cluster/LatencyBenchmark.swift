internal import Reports

/// How fast a write on one node shows on the others. Clusters of all transports run at the same time, and each round
/// measures every one of them.
struct LatencyBenchmark {
    private static let warmUpRounds = 50

    let fleet: Fleet
    let options: ClusterBenchmark.Options

    func run(_ progress: (String) -> Void) throws(BenchmarkError) -> (table: BenchmarkReport.Table, chart: Chart) {
        var clusters: [TestedCluster] = []
        defer { for cluster in clusters { cluster.stop() } }
        for transport in options.transports {
            progress("latency: \(transport) forms")
            clusters.append(
                try TestedCluster.start(
                    3, named: "latency-\(transport)", in: fleet, transport: transport, key: options.key
                ).cluster)
        }
        var sincePost = [[Double]](repeating: [], count: clusters.count)
        var sinceAnswer = sincePost
        for round in 0..<(Self.warmUpRounds + options.latencyRounds) {
            if round % 100 == 0 { progress("latency: \(round) writes of \(options.latencyRounds)") }
            for turn in clusters.indices {
                let index = (round + turn) % clusters.count
                let nodes = clusters[index].nodes
                let key = "round-\(round)"
                let stopwatch = Stopwatch()
                try nodes[round % 3].create(key)
                let answered = stopwatch.seconds
                var waiting = [nodes[(round + 1) % 3], nodes[(round + 2) % 3]]
                try waitUntil(10, "\(key) over \(options.transports[index])", pause: 0) { () throws(BenchmarkError) in
                    // Of two that lack it the one that was asked first is asked first again.
                    while let node = waiting.first, try node.has(key) { waiting.removeFirst() }
                    return waiting.isEmpty
                }
                let visible = stopwatch.seconds
                guard round >= Self.warmUpRounds else { continue }
                sincePost[index].append(visible * 1_000)
                sinceAnswer[index].append((visible - answered) * 1_000)
            }
        }
        return report(sincePost, sinceAnswer)
    }

    private func report(_ sincePost: [[Double]], _ sinceAnswer: [[Double]]) -> (BenchmarkReport.Table, Chart) {
        var table = BenchmarkReport.Table(
            "Replication, seen from outside (ms)", subject: "from", columns: ["p50", "p99", "p99.9", "most"],
            note: """
                A POST on one of three nodes until a GET has found the todo on both others, \(options.latencyRounds) times, one at a \
                time, the nodes in turn; the transports alternate. The client asks the one node and then the other without pause.
                """)
        var bars: [BarChart.Bar] = []
        for (index, transport) in options.transports.enumerated() {
            for (name, samples) in [("POST sent", sincePost[index]), ("POST answered", sinceAnswer[index])] {
                let percentiles = Percentiles(samples)
                table.add(
                    "\(transport): \(name)", [percentiles.p50, percentiles.p99, percentiles.p999, percentiles.max])
                if name == "POST sent" {
                    bars.append(BarChart.Bar("\(transport), half within", percentiles.p50 ?? 0, kind: index))
                    bars.append(BarChart.Bar("\(transport), 99 % within", percentiles.p99 ?? 0, kind: index))
                }
            }
        }
        return (table, .bars(BarChart(title: "POST until visible on all three (ms)", bars: bars)))
    }
}
