/// Figures as they were found, by what was measured of whom.
struct TransportsFindings: Sendable {
    /// What was measured.
    struct Point: Hashable, Sendable {
        var contestant: String
        var mode: FlowRequest.Mode
        var endpoints: Int
        var payloadBytes: Int
    }

    /// Of one contestant when nothing held the sender back.
    struct Overload: Sendable {
        var contestant: String
        var request: FlowRequest
        var result: FlowResult
        var droppedBySender: Int?
        var droppedByReceivers: Int?
    }

    /// Largest message in bytes, by the name of the transport.
    var messageLimits: [String: Int] = [:]
    /// One result for each round, in the same order everywhere.
    var flows: [Point: [FlowResult]] = [:]
    /// Microseconds, of all rounds together, by contestant and payload.
    var roundTrips: [String: [Int: [Double]]] = [:]
    /// One result for each round, by contestant.
    var streams: [String: [StreamResult]] = [:]
    var overloads: [Overload] = []

    /// Largest message of a transport, which is also the largest that its limit is asked for.
    func messageLimit(of contestant: Contestant) -> Int {
        contestant.transport.flatMap { messageLimits[$0.name] } ?? 0
    }

    /// The median of all rounds; `nil` where there is none.
    func median(_ point: Point, of figure: (FlowResult) -> Double) -> Double? {
        Percentiles((flows[point] ?? []).map(figure)).p50
    }

    func median(_ contestant: String, of figure: (StreamResult) -> Double) -> Double? {
        Percentiles((streams[contestant] ?? []).map(figure)).p50
    }

    /// The median of what each round gave, one figure over the other in the same round.
    func medianRatio(
        _ point: Point, _ figure: (FlowResult) -> Double, over other: Point, _ otherFigure: (FlowResult) -> Double
    ) -> Double? {
        let ratios = zip(flows[point] ?? [], flows[other] ?? []).compactMap { result, limit in
            otherFigure(limit) > 0 ? figure(result) / otherFigure(limit) : nil
        }
        return Percentiles(ratios).p50
    }

    /// Who lost most in one of the paced flows, and what share.
    var largestLoss: (point: Point, share: Double)? {
        let losses = flows.map { point, results in (point, results.map(\.lostShare).max() ?? 0) }
        return losses.max { $0.1 < $1.1 }.map { (point: $0.0, share: $0.1) }
    }
}

extension FlowResult {
    /// UDP packets a second.
    var datagramRate: Double { seconds > 0 ? Double(use.datagrams) / seconds : 0 }

    /// Microseconds of processor time for each message and receiver, sender included.
    var microsecondsPerMessage: Double { total > 0 ? use.processorSeconds * 1e6 / Double(total) : 0 }

    /// Bytes on the loopback interface for each byte that came to a receiver.
    func wireOverhead(payloadBytes: Int) -> Double {
        total > 0 ? Double(use.loopbackBytes) / Double(total * payloadBytes) : 0
    }
}

extension StreamResult {
    var megabytesPerSecond: Double { seconds > 0 ? Double(bytes) / seconds / 1e6 : 0 }
    var millisecondsPerMegabyte: Double { bytes > 0 ? use.processorSeconds * 1e3 / (Double(bytes) / 1e6) : 0 }
    var wireOverhead: Double { bytes > 0 ? Double(use.loopbackBytes) / Double(bytes) : 0 }
}
