/// Messages one way, for a while.
struct FlowRequest: Sendable {
    enum Mode: String, Sendable, CaseIterable {
        /// From one endpoint to one other.
        case unicast = "send"
        /// From one endpoint to all others.
        case broadcast
    }

    var mode: Mode
    /// The sender included.
    var endpoints: Int
    var payloadBytes: Int
    /// Most messages handed over that the slowest receiver has not counted; `nil`: no limit.
    var window: Int?
    var seconds: Double
}

/// What became of them.
struct FlowResult: Sendable {
    /// From the first one handed over to the last arrival.
    var seconds: Double
    /// Messages; each is meant for all receivers.
    var handed: Int
    /// Messages that came to every receiver.
    var gotByAll: Int
    /// Of the receiver with fewest, of the one with most, and of all together. A message that came twice counts once.
    var least: Int
    var most: Int
    var total: Int
    var use: ResourceUse

    /// Messages a second that all got.
    var rate: Double { seconds > 0 ? Double(gotByAll) / seconds : 0 }
    /// Share of the messages that not all got.
    var lostShare: Double { handed > 0 ? 1 - Double(gotByAll) / Double(handed) : 1 }
}

/// One direction of a stream.
struct StreamResult: Sendable {
    var bytes: Int
    var seconds: Double
    var use: ResourceUse
}

/// The greatest rate that all receivers follow: the sender has a window, as large as turns out best.
enum PacedFlow {
    /// Messages that may be on the way.
    static let windows = [64, 512, 4_096]
    /// Bytes that may be on the way: what receive buffers and queues hold.
    static let maxWindowBytes = 2 << 20
    /// What may be lost.
    static let toleratedShare = 0.001

    /// Tries each window for a sixth of the time, then measures with the one that was fastest; where that loses too much,
    /// with the next one. Of those that all lost too much the one that lost least counts.
    static func measure(
        _ request: FlowRequest, _ run: (FlowRequest) async throws -> FlowResult
    ) async throws -> FlowResult {
        func result(_ window: Int, _ seconds: Double) async throws -> FlowResult {
            var request = request
            (request.window, request.seconds) = (window, seconds)
            return try await run(request)
        }
        var tried: [(window: Int, trial: FlowResult)] = []
        for window in Set(windows.map { min($0, max(8, maxWindowBytes / request.payloadBytes)) }).sorted() {
            tried.append((window, try await result(window, request.seconds / 6)))
        }
        // Those that lost nothing to speak of first, and among them the fastest.
        tried.sort { left, right in
            let (isLeftGood, isRightGood) = (isGood(left.trial), isGood(right.trial))
            return isLeftGood == isRightGood ? left.trial.rate > right.trial.rate : isLeftGood
        }
        var best: FlowResult?
        for (window, _) in tried {
            let found = try await result(window, request.seconds)
            if isGood(found) { return found }
            if best.map({ found.lostShare < $0.lostShare }) ?? true { best = found }
        }
        guard let best else { preconditionFailure("no window was tried") }
        return best
    }

    private static func isGood(_ result: FlowResult) -> Bool { result.lostShare <= toleratedShare }
}
