internal import Logging
internal import Runtime
internal import ServiceLifecycle

/// What a node without a cluster runs beside its REST API: nothing, until it is told to stop.
struct StandaloneCore: Service {
    let listening: Listening
    let stop: AtomicFlag
    let logger: Logger

    func run() async throws {
        guard await listening.port() != nil else { return }
        logger.info("Node is ready, standing alone")
        try? await gracefulShutdown()
        stop.set()
    }
}
