import Testing

/// Real nodes whose only seed is a name that leads to all of them, as a headless service does. `SimulationTests` has the same
/// and more in virtual time.
@Suite(
    "A seed name with several addresses", .serialized, .timeLimit(.minutes(3)),
    .enabled(if: TestNetwork.isAvailable, "\(TestNetwork.needs)"))
struct SeedNameTests {
    @Test("two halves that began in a cut, and never met, become one cluster when it ends", arguments: Transports.all)
    func halves(transport: String) async throws {
        let network = try TestNetwork(4)
        let cluster = try TestCluster(4, transport: transport, seedName: "cluster.test", network: network)
        let halves = [[0, 1], [2, 3]]
        try network.split(halves[0], from: halves[1])
        for index in 0..<4 { try cluster.start(index) }
        for half in halves {
            for index in half {
                try await cluster.ready(index)
                try await cluster.eventually("node \(index + 1) sees its half", within: 10) {
                    try await cluster[index].info().members.count { $0.status == "alive" } == 2
                }
            }
            try await cluster[half[0]].create("of \(half[0])", "x")
        }
        // They have never heard of each other.
        for index in 0..<4 { #expect(try await cluster[index].info().members.count == 2) }
        try network.heal()
        try await cluster.allReady(within: 60)
        try await cluster.converged(count: 2, within: 10)
    }

    @Test("of three addresses one lives: that one is enough to join", arguments: Transports.all)
    func oneOfThree(transport: String) async throws {
        let network = try TestNetwork(3)
        let cluster = try TestCluster(3, transport: transport, seedName: "cluster.test", network: network)
        for index in [0, 2] {
            try cluster.start(index)
            if index == 0 { try await cluster.ready(0) }
        }
        try await cluster.allReady()
        try await cluster[2].create("a", "x")
        try await cluster.converged(count: 1, within: 5)
        try cluster.start(1)
        try await cluster.allReady()
        try await cluster.converged(count: 1, within: 5)
    }
}
