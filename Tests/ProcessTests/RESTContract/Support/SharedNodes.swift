import Testing

/// Runs one node for all tests of a suite.
struct SharedNode: SuiteTrait, TestScoping {
    struct Missing: Error {}

    @TaskLocal private static var current: RawClient?

    static var client: RawClient {
        get throws {
            guard let current else { throw Missing() }
            return current
        }
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let node = try await StandaloneNode()
        try await Self.$current.withValue(node.client) { try await function() }
        withExtendedLifetime(node) {}
    }
}

/// Runs three nodes for all tests of a suite.
struct SharedCluster: SuiteTrait, TestScoping {
    @TaskLocal private static var current: [RawClient] = []

    static var clients: [RawClient] {
        get throws {
            guard current.count == 3 else { throw SharedNode.Missing() }
            return current
        }
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        let cluster = try TestCluster(3, transport: Transports.all[0])
        try await cluster.startAll()
        let clients = cluster.members.map { RawClient(port: $0.httpPort) }
        try await Self.$current.withValue(clients) { try await function() }
        withExtendedLifetime(cluster) {}
    }
}
