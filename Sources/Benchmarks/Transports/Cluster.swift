internal import Transport

/// Endpoints of one transport in this process. The first one knows all others, which know only the first.
///
/// The channel is that of replication: its messages are what there are many of.
final class Cluster: Sendable {
    static let channel = Channel.replication

    let sender: any Transport
    let receivers: [any Transport]
    private let runs: [Task<Void, any Error>]

    private static let settleLimit: Duration = .seconds(10)
    private static let closeLimit: Duration = .seconds(10)

    /// Opens `count` endpoints, waits until the first one reaches all others, gives them to `body` and ends them.
    static func with<Value>(
        _ candidate: TransportCandidate, hasKey: Bool, count: Int, _ body: (Cluster) async throws -> Value
    ) async throws -> Value {
        let cluster = try Cluster(candidate, hasKey: hasKey, count: count)
        let value: Value
        do {
            try await cluster.settle(candidate.kind)
            value = try await body(cluster)
        } catch {
            try? await cluster.close(candidate.kind)
            throw error
        }
        try await cluster.close(candidate.kind)
        return value
    }

    private init(_ candidate: TransportCandidate, hasKey: Bool, count: Int) throws {
        let endpoints = try (0..<count).map { _ in try candidate.bind(hasKey) }
        sender = endpoints[0]
        receivers = Array(endpoints.dropFirst())
        sender.setPeers(receivers.map { Peer(address: $0.boundAddress) })
        for receiver in receivers { receiver.setPeers([Peer(address: sender.boundAddress)]) }
        runs = endpoints.map { endpoint in Task { try await endpoint.run() } }
    }

    /// Waits until every receiver has had a message for it alone and a broadcast, and has answered.
    private func settle(_ name: String) async throws {
        let options = BroadcastOptions(isRepeated: false)
        try await within(Self.settleLimit, "\(name): reaching \(receivers.count) endpoints") { [self] in
            var silent = Set(receivers.indices)
            var heard: [Int: (unicast: Bool, broadcast: Bool)] = [:]
            var answered: Set<PeerAddress> = []
            while !silent.isEmpty {
                sender.broadcast(Message.probe, on: Self.channel, options: options)
                for index in silent {
                    sender.send(Message.probe, on: Self.channel, to: receivers[index].boundAddress)
                    receivers[index].send(Message.probe, on: Self.channel, to: sender.boundAddress)
                }
                try await Task.sleep(for: .milliseconds(10))
                answered.formUnion(sender.arrivals(on: Self.channel).takeNow().map(\.sender))
                for index in silent {
                    for arrival in receivers[index].arrivals(on: Self.channel).takeNow() {
                        if arrival.delivery == .unicast {
                            heard[index, default: (false, false)].unicast = true
                        } else {
                            heard[index, default: (false, false)].broadcast = true
                        }
                    }
                    let isReached = heard[index].map { $0.unicast && $0.broadcast } ?? false
                    if isReached, answered.contains(receivers[index].boundAddress) { silent.remove(index) }
                }
            }
        }
        _ = droppedBySender
        _ = droppedByReceivers
    }

    private func close(_ name: String) async throws {
        for run in runs { run.cancel() }
        // A task of its own, so that they are waited for also when this one is cancelled.
        try await Task { [runs] in
            try await within(Self.closeLimit, "\(name): ending \(runs.count) endpoints") {
                for run in runs { try await run.value }
            }
        }.value
    }

    /// Messages that the sender has told to be dropped since the last call. All are told once the endpoints have ended.
    var droppedBySender: Int { Self.dropped(by: [sender]) }

    /// The same of all receivers together.
    var droppedByReceivers: Int { Self.dropped(by: receivers) }

    private static func dropped(by endpoints: [any Transport]) -> Int {
        endpoints.flatMap { $0.events.takeNow() }.reduce(0) { sum, event in
            if case .dropped(_, let count) = event { sum + count } else { sum }
        }
    }
}
