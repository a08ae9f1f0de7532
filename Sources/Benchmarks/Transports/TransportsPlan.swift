internal import Reports

/// What `TransportsBenchmark` is to measure.
package struct TransportsPlan: Sendable {
    /// The payload whose rates are held against the limits; always measured.
    package static let comparedPayloadBytes = 200
    package static let payloadLimits = 16...65_536
    /// With one more the sender has more peers than UDP sends a broadcast to itself, and nobody here passes it on.
    package static let endpointLimits = 2...31
    /// Of one message on an exchange in the measurement of throughput.
    static let chunkBytes = 65_536

    /// In bytes, ascending.
    package var payloads: [Int]
    /// Numbers of endpoints for broadcasts, ascending. Two are always among them.
    package var endpoints: [Int]
    /// Of each figure, in each round.
    package var secondsPerPoint: Double
    package var rounds: Int
    /// How long a sender is let loose.
    package var overloadSeconds: Double

    /// Values within the limits above, at least one of each.
    package init(payloads: [Int], endpoints: [Int], secondsPerPoint: Double, rounds: Int, overloadSeconds: Double) {
        self.payloads = Set(payloads + [Self.comparedPayloadBytes]).sorted()
        self.endpoints = Set(endpoints + [2]).sorted()
        (self.secondsPerPoint, self.rounds) = (secondsPerPoint, rounds)
        self.overloadSeconds = overloadSeconds
    }

    /// Endpoints of broadcasts at overload.
    var overloadEndpoints: Int { endpoints.last { $0 <= 8 } ?? 2 }

    var settings: [BenchmarkReport.Setting] {
        [
            .init("payloads", payloads.map(String.init).joined(separator: ", ") + " bytes"),
            .init("endpoints of broadcasts", endpoints.map(String.init).joined(separator: ", ")),
            .init("time of a figure", "\(rounds) rounds of \(secondsPerPoint.short) s, in turn with all others"),
        ]
    }
}
