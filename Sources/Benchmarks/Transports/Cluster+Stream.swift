internal import Transport

/// One direction of one exchange.
extension Cluster {
    private static let limit: Duration = .seconds(20)

    /// Messages of `chunkBytes` for `seconds`, then until the last one was read.
    func stream(chunkBytes: Int, seconds: Double) async throws -> StreamResult {
        try await within(.seconds(seconds) + Self.limit, "an exchange of \(chunkBytes) bytes each") { [self] in
            let (ours, theirs) = try await openExchange()
            defer {
                ours.close()
                theirs.close()
            }
            let before = ResourceUse.now
            let watch = Stopwatch()
            let sending = Task {
                let message = Message.make(run: 1, number: 0, bytes: chunkBytes)
                while watch.seconds < seconds { try await ours.send(message) }
                ours.close()
            }
            defer { sending.cancel() }
            var bytes = 0
            var lastArrival = 0.0
            while let message = try await theirs.receive() {
                bytes += message.count
                lastArrival = watch.seconds
            }
            try await sending.value
            return StreamResult(bytes: bytes, seconds: lastArrival, use: ResourceUse.now - before)
        }
    }
}
