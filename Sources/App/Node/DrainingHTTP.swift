internal import ServiceLifecycle

/// The REST API with a limit on how long its last requests may take: a client that reads slowly must not keep the node
/// from saying farewell to the cluster.
struct DrainingHTTP: Service {
    static let limit: Duration = .seconds(2)

    let application: HTTPApplication

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                guard (try? await gracefulShutdown()) != nil else { return }
                try? await Task.sleep(for: Self.limit)
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
