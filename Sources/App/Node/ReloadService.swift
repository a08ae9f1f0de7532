internal import Runtime
internal import ServiceLifecycle
internal import UnixSignals

/// Reads files anew at each SIGHUP, which would end the process otherwise.
struct ReloadService: Service {
    let credentials: HTTPCredentials
    private let signals: UnixSignalsSequence

    /// - Parameter signals: SIGHUP, which does not end the process any more.
    init(_ credentials: HTTPCredentials, _ signals: UnixSignalsSequence) {
        self.credentials = credentials
        self.signals = signals
    }

    /// Until told to stop.
    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            try await Blocking.run { credentials.reload() }
        }
    }
}
