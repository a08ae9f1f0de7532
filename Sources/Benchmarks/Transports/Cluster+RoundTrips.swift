internal import Transport

/// A message there and back through a transport, again and again.
extension Cluster {
    private static let limit: Duration = .seconds(10)

    /// Microseconds that each took. What is larger than a message may be goes over one exchange, whose opening is not
    /// counted.
    func roundTrips(payloadBytes: Int, seconds: Double) async throws -> [Double] {
        let message = Message.make(run: 1, number: 0, bytes: payloadBytes)
        let isMessage = payloadBytes <= sender.maxMessageBytes
        return try await within(.seconds(seconds) + Self.limit, "round trips of \(payloadBytes) bytes") { [self] in
            if isMessage { return try await messageRoundTrips(message, seconds) }
            return try await exchangeRoundTrips(message, seconds)
        }
    }

    private func messageRoundTrips(_ message: [UInt8], _ seconds: Double) async throws -> [Double] {
        let peer = receivers[0]
        let echo = Task {
            while let batch = await peer.arrivals(on: Self.channel).next() {
                for arrival in batch { peer.send(arrival.message, on: Self.channel, to: arrival.sender) }
            }
        }
        defer { echo.cancel() }
        let arrivals = sender.arrivals(on: Self.channel)
        let samples = try await Self.repeated(seconds) {
            sender.send(message, on: Self.channel, to: peer.boundAddress)
            // Late answers to what was sent before count for nothing.
            while let batch = await arrivals.next() {
                if batch.contains(where: { Message.number($0.message, run: 1) != nil }) { return true }
            }
            return false
        }
        // The queue has one consumer, and others may follow.
        echo.cancel()
        await echo.value
        return samples
    }

    private func exchangeRoundTrips(_ message: [UInt8], _ seconds: Double) async throws -> [Double] {
        let (ours, theirs) = try await openExchange()
        let echo = Task { while let message = try await theirs.receive() { try await theirs.send(message) } }
        defer {
            echo.cancel()
            ours.close()
            theirs.close()
        }
        return try await Self.repeated(seconds) {
            try await ours.send(message)
            return try await ours.receive() != nil
        }
    }

    /// An exchange of two endpoints, seen from both, after a first message.
    func openExchange() async throws -> (ours: any Exchange, theirs: any Exchange) {
        let ours = try await sender.exchange(on: Self.channel, with: receivers[0].boundAddress)
        try await ours.send(Message.probe)
        guard let theirs = await receivers[0].exchanges(on: Self.channel).next(limit: 1)?.first,
            try await theirs.receive() != nil
        else { throw ExchangeError.closed }
        return (ours, theirs)
    }

    private static func repeated(_ seconds: Double, _ body: () async throws -> Bool) async throws -> [Double] {
        let watch = Stopwatch()
        var samples: [Double] = []
        var before = 0.0
        while before < seconds, try await body() {
            let after = watch.seconds
            samples.append((after - before) * 1e6)
            before = after
        }
        return samples
    }
}
