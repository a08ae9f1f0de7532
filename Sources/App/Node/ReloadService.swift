internal import ServiceLifecycle
internal import UnixSignals

/// Reads files anew at each SIGHUP, which would end the process otherwise.
struct ReloadService: Service {
    let credentials: HTTPCredentials
    private let signals: UnixSignalsSequence

    /// From here on the signal does not end the process.
    init(_ credentials: HTTPCredentials) async {
        self.credentials = credentials
        signals = await UnixSignalsSequence(trapping: .sighup)
    }

    /// Until told to stop.
    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            try await OwnThread.run { credentials.reload() }
        }
    }
}
