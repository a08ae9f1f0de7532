public import Transport

/// The handle of an exchange: what a plugin gives out. The pipe lives while its owner needs it; when the last reference to
/// the handle goes, the exchange is closed. So an owner holds the pipe and never the handle.
public final class PipeExchange: Exchange {
    /// See `Exchange`.
    public let peer: PeerAddress
    private let pipe: ExchangePipe
    private let onRelease: (@Sendable () -> Void)?

    /// `onRelease` runs when the handle is gone.
    public init(peer: PeerAddress, pipe: ExchangePipe, onRelease: (@Sendable () -> Void)? = nil) {
        self.peer = peer
        self.pipe = pipe
        self.onRelease = onRelease
    }

    deinit {
        pipe.close()
        onRelease?()
    }

    /// See `Exchange`.
    public func send(_ message: [UInt8]) async throws(ExchangeError) { try await pipe.send(message) }
    /// See `Exchange`.
    public func receive(until deadline: ContinuousClock.Instant?) async throws(ExchangeError) -> [UInt8]? {
        try await pipe.receive(until: deadline)
    }
    /// See `Exchange`.
    public func close() { pipe.close() }
}
