internal import CRawLimits
internal import Runtime

/// What the kernel and libzmq alone do with the same traffic, in C. Each call blocks a thread of its own.
enum RawLimits {
    /// sendmmsg and recvmmsg, a datagram for each message and receiver. `isSealed`: XChaCha20-Poly1305.
    static func datagrams(_ request: FlowRequest, isSealed: Bool) async throws -> FlowResult {
        try await flow("sendmmsg and recvmmsg", request, isSealed) { rl_datagram_flow($0, $1) }
    }

    /// PUB to SUB, or DEALER to ROUTER. `isSealed`: CURVE.
    static func zeroMQ(_ request: FlowRequest, isSealed: Bool) async throws -> FlowResult {
        try await flow("libzmq", request, isSealed) { wanted, result in
            switch request.mode {
            case .broadcast: rl_zmq_broadcast_flow(wanted, result)
            case .unicast: rl_zmq_unicast_flow(wanted, result)
            }
        }
    }

    /// One datagram there and back, in microseconds.
    static func datagramRoundTrips(payloadBytes: Int, seconds: Double) async throws -> [Double] {
        try await samples("sendto and recvfrom") {
            rl_datagram_round_trips(UInt32(payloadBytes), seconds, $0, $1)
        }
    }

    /// As many bytes there and back on one TCP connection, in microseconds.
    static func streamRoundTrips(payloadBytes: Int, seconds: Double) async throws -> [Double] {
        try await samples("a TCP connection") { rl_tcp_round_trips(UInt32(payloadBytes), seconds, $0, $1) }
    }

    /// A message from a DEALER to a ROUTER and back, in microseconds.
    static func zeroMQRoundTrips(payloadBytes: Int, isSealed: Bool, seconds: Double) async throws -> [Double] {
        try await samples("libzmq") {
            rl_zmq_round_trips(UInt32(payloadBytes), isSealed ? 1 : 0, seconds, $0, $1)
        }
    }

    /// One direction of one TCP connection.
    static func stream(chunkBytes: Int, seconds: Double) async throws -> StreamResult {
        try await Blocking.run {
            let before = ResourceUse.now
            var bytes: UInt64 = 0
            var taken = 0.0
            try BenchmarkError.check("a TCP connection", rl_tcp_stream(UInt32(chunkBytes), seconds, &bytes, &taken))
            return StreamResult(bytes: Int(bytes), seconds: taken, use: ResourceUse.now - before)
        }
    }

    private static let maxSamples = 1 << 20

    private static func samples(
        _ what: String, _ body: @escaping @Sendable (UnsafeMutablePointer<Double>?, Int) -> Int64
    ) async throws -> [Double] {
        try await Blocking.run {
            var samples = [Double](repeating: 0, count: maxSamples)
            let result = samples.withUnsafeMutableBufferPointer { body($0.baseAddress, $0.count) }
            let count = try BenchmarkError.check(what, result)
            return Array(samples[..<count])
        }
    }

    private static func flow(
        _ what: String, _ request: FlowRequest, _ isSealed: Bool,
        _ body: @escaping @Sendable (UnsafePointer<rl_flow>, UnsafeMutablePointer<rl_flow_result>) -> Int32
    ) async throws -> FlowResult {
        try await Blocking.run {
            var wanted = rl_flow(
                receivers: UInt32(request.endpoints - 1), payload_bytes: UInt32(request.payloadBytes),
                window: UInt32(request.window ?? 0), is_sealed: isSealed ? 1 : 0, seconds: request.seconds)
            var result = rl_flow_result()
            let before = ResourceUse.now
            try BenchmarkError.check(what, body(&wanted, &result))
            return FlowResult(
                seconds: result.seconds, handed: Int(result.handed), gotByAll: Int(result.least),
                least: Int(result.least), most: Int(result.most), total: Int(result.total),
                use: ResourceUse.now - before)
        }
    }
}
