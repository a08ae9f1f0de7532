internal import Glibc

/// Nodes that are each other's seeds.
struct TestedCluster {
    let nodes: [Node]

    /// Starts them all at once, with databases that their names find; returns when each is ready and sees all alive, with the seconds that this took.
    static func start(
        _ count: Int, spare: Int = 0, named name: String, in fleet: Fleet, transport: String, key: String
    ) throws(BenchmarkError) -> (cluster: TestedCluster, spare: [Node], seconds: Double) {
        let ports = try Fleet.freePorts(2 * (count + spare))
        let seeds = Array(ports[..<count])
        var nodes: [Node] = []
        for index in 0..<(count + spare) {
            let options = Node.Options(transport: transport, key: key, seeds: seeds)
            nodes.append(
                Node(
                    "\(name)-\(index + 1)", in: fleet, port: ports[index],
                    httpPort: ports[count + spare + index], options))
        }
        let cluster = TestedCluster(nodes: Array(nodes[..<count]))
        let stopwatch = Stopwatch()
        for node in cluster.nodes { try node.start() }
        for node in cluster.nodes {
            try waitUntil(30, "\(node.name) ready") { () throws(BenchmarkError) in try node.isReady() }
        }
        for node in cluster.nodes {
            try waitUntil(30, "\(node.name) sees all") { () throws(BenchmarkError) in
                try node.info().members.count { $0.status == "alive" } == count
            }
        }
        return (cluster, Array(nodes[count...]), stopwatch.seconds)
    }

    /// Seconds until all show the same fingerprint and so many todos.
    func untilEqual(count: Int, within seconds: Double) throws(BenchmarkError) -> Double {
        let stopwatch = Stopwatch()
        while true {
            let infos = try nodes.map { (node) throws(BenchmarkError) in try node.info() }
            let isEqual = Set(infos.map(\.fingerprint)).count == 1
            if isEqual, infos.allSatisfy({ $0.todo_count == count }) { return stopwatch.seconds }
            guard stopwatch.seconds < seconds else {
                throw .late("\(count) todos on all nodes, \(infos.map(\.todo_count)) are there")
            }
            usleep(500)
        }
    }

    func stop() { for node in nodes { node.stop() } }
}

/// Asks again and again until it is so, with a pause between; the seconds that this took.
@discardableResult
func waitUntil(
    _ seconds: Double, _ what: String, pause: UInt32 = 500, _ isSo: () throws(BenchmarkError) -> Bool
) throws(BenchmarkError) -> Double {
    let stopwatch = Stopwatch()
    while try !isSo() {
        if stopwatch.seconds > seconds { throw .late(what) }
        if pause > 0 { usleep(pause) }
    }
    return stopwatch.seconds
}
