import CoreMetrics
import NIOSSL
import Runtime
import ServiceLifecycle

@testable import AutoClusterSync

func application(
    host: String = "127.0.0.1", port: UInt16, service: MemoryTodoService = MemoryTodoService(),
    limits: HTTPLimits = HTTPLimits(), tls: LockedBox<NIOSSLContext>? = nil, tokens: AccessTokens? = nil,
    metrics: (any MetricsFactory)? = nil,
    onListening: @escaping @Sendable (UInt16) async -> Void = { _ in }
) throws -> HTTPApplication {
    try makeHTTPApplication(
        host: host, port: port, service: service, isReady: { true }, status: { .sample }, limits: limits,
        tls: tls, tokens: tokens, metrics: metrics, logger: .silent, onListening: onListening)
}

/// Runs `body` with a server on a free port, which is shut down gracefully afterwards.
func withServer(
    _ service: MemoryTodoService = MemoryTodoService(), limits: HTTPLimits = HTTPLimits(),
    tls: LockedBox<NIOSSLContext>? = nil, tokens: AccessTokens? = nil, metrics: (any MetricsFactory)? = nil,
    drainLimit: Duration = .seconds(2),
    onEnd: @escaping @Sendable () -> Void = {},
    _ body: @escaping @Sendable (Int, ServiceGroup) async throws -> Void
) async throws {
    let (ports, continuation) = AsyncStream.makeStream(of: UInt16.self)
    let server = try application(
        port: 0, service: service, limits: limits, tls: tls, tokens: tokens, metrics: metrics
    ) { port in
        continuation.yield(port)
        continuation.finish()
    }
    let group = ServiceGroup(services: [DrainingHTTP(application: server, limit: drainLimit)], logger: .silent)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer {
                continuation.finish()
                onEnd()
            }
            try await group.run()
        }
        for await port in ports { try await body(Int(port), group) }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// What `count` has reached when it no longer grows, or after 20 s.
func stops(_ count: () -> Int) async throws -> Int {
    var (last, since) = (0, ContinuousClock.now)
    let deadline = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
        let now = count()
        if now != last { (last, since) = (now, ContinuousClock.now) }
        if last > 0, ContinuousClock.now - since > .seconds(1) { break }
    }
    return last
}

extension String {
    /// Whether an answer with a list came to its end: to the last chunk, or with HTTP/1.0 to the end of the list itself.
    var isWholeList: Bool { hasSuffix(hasPrefix("HTTP/1.1") ? "}]\r\n0\r\n\r\n" : "}]") }
}
