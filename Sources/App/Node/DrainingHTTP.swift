internal import ServiceLifecycle

/// The REST API with a limit on how long its last requests may take: a client that reads slowly must not keep the node
/// from saying farewell to the cluster.
struct DrainingHTTP: Service {
    let application: HTTPApplication
    /// How long the last requests may take once the node was told to stop.
    var limit: Duration = .seconds(2)

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                guard (try? await gracefulShutdown()) != nil else { return }
                try? await Task.sleep(for: limit)
            }
            defer { group.cancelAll() }
            do {
                try await group.next()
            } catch is CancellationError {
                // What is cancelled has been told to stop.
            }
        }
    }
}
