internal import Glibc
internal import Runtime

/// One cluster of three from its start to a death: every `Scene`.
struct LifeBenchmark {
    let fleet: Fleet
    let options: ClusterBenchmark.Options
    let transport: String

    func run(_ progress: (String) -> Void) throws(BenchmarkError) -> [Scene: Double] {
        func show(_ text: String) { progress("\(transport): \(text)") }
        var figures: [Scene: Double] = [:]
        show("forms")
        let start = try TestedCluster.start(
            3, spare: 1, named: transport, in: fleet, transport: transport, key: options.key)
        let (cluster, fourth) = (start.cluster, start.spare[0])
        defer { for node in cluster.nodes + [fourth] { node.stop() } }
        figures[.formed] = start.seconds

        show("idles")
        // Joining has its own traffic, until everybody has compared with everybody.
        usleep(5_000_000)
        let (before, used, stopwatch) = (ResourceUse.now, processorSeconds(cluster), Stopwatch())
        usleep(UInt32(options.idleSeconds * 1e6))
        let seconds = stopwatch.seconds
        figures[.idleBytes] = Double((ResourceUse.now - before).loopbackBytes) / seconds / 3
        figures[.idleProcessor] = zip(processorSeconds(cluster), used).map { $0 - $1 }.max().map { $0 / seconds * 100 }
        figures[.idleMemory] = cluster.nodes.map(\.figures.residentMegabytes).max()

        show("\(options.todos) creates")
        let load = HTTPLoad(port: cluster.nodes[0].httpPort, connections: 64, expectedStatus: 201)
        let result = try load.run(until: .requests(options.todos)) {
            HTTPRequestText.create("burst-\($0)", "Buy groceries and cook dinner")
        }
        guard result.unexpectedCount == 0 else { throw .failed("\(result.unexpectedCount) creates failed") }
        figures[.burstRate] = result.perSecond
        figures[.burstEqual] = try cluster.untilEqual(count: options.todos, within: 60)
        figures[.burstMemory] = cluster.nodes.map(\.figures.residentMegabytes).max()

        show("a new node")
        let began = Stopwatch()
        try fourth.start()
        try waitUntil(60, "the new node is ready", pause: 1_000) { () throws(BenchmarkError) in try fourth.isReady() }
        figures[.newNode] = began.seconds
        let count = try fourth.info().todo_count
        guard count == options.todos else { throw .node("ready with \(count) todos", log: fourth.logPath) }
        fourth.stop()

        show("a death")
        let killed = Stopwatch()
        cluster.nodes[1].crash()
        let others = [cluster.nodes[0], cluster.nodes[2]]
        try waitUntil(20, "suspect") { () throws(BenchmarkError) in
            try all(others, say: ["suspect", "failed"], of: cluster.nodes[1])
        }
        figures[.suspect] = killed.seconds
        try waitUntil(30, "failed") { () throws(BenchmarkError) in
            try all(others, say: ["failed"], of: cluster.nodes[1])
        }
        figures[.failed] = killed.seconds
        try others[0].create("while one is dead")
        let restarted = Stopwatch()
        try cluster.nodes[1].start()
        try waitUntil(30, "ready again", pause: 1_000) { () throws(BenchmarkError) in try cluster.nodes[1].isReady() }
        figures[.restarted] = restarted.seconds
        _ = try cluster.untilEqual(count: options.todos + 1, within: 30)
        return figures
    }

    private func processorSeconds(_ cluster: TestedCluster) -> [Double] {
        cluster.nodes.map(\.figures.processorSeconds)
    }

    private func all(_ nodes: [Node], say statuses: [String], of member: Node) throws(BenchmarkError) -> Bool {
        for node in nodes {
            let status = try node.info().members.first { $0.name == member.name }?.status
            guard let status, statuses.contains(status) else { return false }
        }
        return true
    }
}
