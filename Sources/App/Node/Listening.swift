internal import ServiceLifecycle
internal import Transport

/// Waits for the port on which the REST API listens: nothing is joined before it is known to be free.
final class Listening: Sendable {
    private let ports = BatchQueue<UInt16>(maxCount: 1)

    func announce(_ port: UInt16) { ports.append([port]) }

    /// `nil` when the node is told to stop first, as it is when the port cannot be had.
    func port() async -> UInt16? {
        await withGracefulShutdownHandler {
            await self.ports.next()?.first
        } onGracefulShutdown: {
            self.ports.finish()
        }
    }
}
