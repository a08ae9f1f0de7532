internal import Transport

/// What is measured: a transport or a limit, with a key or without.
struct Contestant: Sendable {
    enum Kind: Sendable {
        case transport(TransportCandidate)
        /// Of this transport.
        case limit(TransportCandidate.Limit, of: TransportCandidate)
        /// One TCP connection: the limit of exchanges.
        case stream
    }

    var kind: Kind
    var hasKey: Bool

    /// As it stands in tables.
    var name: String {
        switch kind {
        case .transport(let candidate): hasKey ? "\(candidate.kind), key" : candidate.kind
        case .limit(let limit, _):
            switch limit {
            case .datagrams: hasKey ? "C: sendmmsg, sealed" : "C: sendmmsg"
            case .zeroMQ: hasKey ? "C: libzmq, CURVE" : "C: libzmq"
            }
        case .stream: "C: TCP"
        }
    }

    var isLimit: Bool { if case .transport = kind { false } else { true } }

    /// The transport that this is, or that this is the limit of.
    var transport: Self? {
        switch kind {
        case .transport: self
        case .limit(_, let candidate): Self(kind: .transport(candidate), hasKey: hasKey)
        case .stream: nil
        }
    }

    /// Each transport followed by its limit, in clear, then the same with a key.
    static func all(_ candidates: [TransportCandidate]) -> [Self] {
        [false, true].flatMap { hasKey in
            candidates.flatMap { candidate in
                let transport = Self(kind: .transport(candidate), hasKey: hasKey)
                return [transport, transport.limit].compactMap(\.self)
            }
        }
    }

    /// What this transport is held against; `nil` where there is nothing.
    var limit: Self? {
        guard case .transport(let candidate) = kind, let limit = candidate.limit else { return nil }
        return Self(kind: .limit(limit, of: candidate), hasKey: hasKey)
    }

    // MARK: Measuring

    /// Largest datagram that IPv4 takes, less what sealing adds.
    private static let maxDatagramBytes = 65_507 - 40

    /// The greatest rate that all receivers follow; `nil` where the payload is none for this contestant.
    func pacedFlow(_ request: FlowRequest) async throws -> FlowResult? {
        switch kind {
        case .transport(let candidate):
            return try await Cluster.with(candidate, hasKey: hasKey, count: request.endpoints) { cluster in
                guard request.payloadBytes <= cluster.sender.maxMessageBytes else { return nil }
                var run: UInt32 = 0
                return try await PacedFlow.measure(request) { request in
                    run += 1
                    return try await cluster.flow(request, run: run)
                }
            }
        case .limit(let limit, _):
            guard limit == .zeroMQ || request.payloadBytes <= Self.maxDatagramBytes else { return nil }
            return try await PacedFlow.measure(request) { try await flow(limit, $0) }
        case .stream: return nil
        }
    }

    /// What becomes of it when nothing holds the sender back. Drops are what the endpoints told, each in its own unit;
    /// `nil` of a limit, which tells nothing.
    func openFlow(_ request: FlowRequest) async throws -> (
        result: FlowResult, droppedBySender: Int?, droppedByReceivers: Int?
    )? {
        var request = request
        request.window = nil
        switch kind {
        case .transport(let candidate):
            let (cluster, result) = try await Cluster.with(candidate, hasKey: hasKey, count: request.endpoints) {
                ($0, try await $0.flow(request, run: 1))
            }
            return (result, cluster.droppedBySender, cluster.droppedByReceivers)
        case .limit(let limit, _): return (try await flow(limit, request), nil, nil)
        case .stream: return nil
        }
    }

    private func flow(_ limit: TransportCandidate.Limit, _ request: FlowRequest) async throws -> FlowResult {
        switch limit {
        case .datagrams: try await RawLimits.datagrams(request, isSealed: hasKey)
        case .zeroMQ: try await RawLimits.zeroMQ(request, isSealed: hasKey)
        }
    }

    /// Microseconds of each; empty where the payload is none for this contestant.
    func roundTrips(payloadBytes: Int, seconds: Double) async throws -> [Double] {
        switch kind {
        case .transport(let candidate):
            return try await Cluster.with(candidate, hasKey: hasKey, count: 2) {
                try await $0.roundTrips(payloadBytes: payloadBytes, seconds: seconds)
            }
        case .limit(let limit, _):
            switch limit {
            case .datagrams:
                // Without sealing, which is a matter of some microseconds.
                guard payloadBytes <= Self.maxDatagramBytes, !hasKey else { return [] }
                return try await RawLimits.datagramRoundTrips(payloadBytes: payloadBytes, seconds: seconds)
            case .zeroMQ:
                return try await RawLimits.zeroMQRoundTrips(
                    payloadBytes: payloadBytes, isSealed: hasKey, seconds: seconds)
            }
        case .stream: return try await RawLimits.streamRoundTrips(payloadBytes: payloadBytes, seconds: seconds)
        }
    }

    /// One exchange, or what does the same; `nil` where there is nothing of the kind.
    func stream(chunkBytes: Int, seconds: Double) async throws -> StreamResult? {
        switch kind {
        case .transport(let candidate):
            return try await Cluster.with(candidate, hasKey: hasKey, count: 2) {
                try await $0.stream(chunkBytes: chunkBytes, seconds: seconds)
            }
        case .limit(let limit, _):
            guard limit == .zeroMQ else { return nil }
            let request = FlowRequest(
                mode: .unicast, endpoints: 2, payloadBytes: chunkBytes, window: 64, seconds: seconds)
            let result = try await RawLimits.zeroMQ(request, isSealed: hasKey)
            return StreamResult(bytes: result.total * chunkBytes, seconds: result.seconds, use: result.use)
        case .stream: return try await RawLimits.stream(chunkBytes: chunkBytes, seconds: seconds)
        }
    }
}
