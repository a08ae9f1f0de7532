internal import Transport

/// Transports against each other and against what C alone does, in one run: each figure of one is followed by the same
/// figure of the next, and all of that is repeated in rounds, so that a slow minute of the machine meets all.
package struct TransportsBenchmark: Sendable {
    private let plan: TransportsPlan
    private let contestants: [Contestant]
    private let progress: @Sendable (String) -> Void

    /// `progress` is told what is measured now.
    package init(
        _ plan: TransportsPlan, _ candidates: [TransportCandidate],
        progress: @escaping @Sendable (String) -> Void
    ) {
        (self.plan, self.progress) = (plan, progress)
        contestants = Contestant.all(candidates)
    }

    /// Everything there is to measure. `machine` is where.
    package func report(on machine: Machine) async throws -> BenchmarkReport {
        var findings = TransportsFindings()
        for contestant in contestants {
            guard case .transport(let candidate) = contestant.kind else { continue }
            findings.messageLimits[contestant.name] = try await Cluster.with(
                candidate, hasKey: contestant.hasKey, count: 2
            ) { $0.sender.maxMessageBytes }
        }
        for round in 1...plan.rounds {
            let title = "round \(round) of \(plan.rounds)"
            try await measureRoundTrips(title, &findings)
            try await measureFlows(title, &findings)
            try await measureStreams(title, &findings)
        }
        try await measureOverload(&findings)
        return TransportsReport(plan, contestants, findings).report(on: machine)
    }

    private func measureRoundTrips(_ title: String, _ findings: inout TransportsFindings) async throws {
        for payload in plan.payloads {
            for contestant in contestants + [Contestant(kind: .stream, hasKey: false)] {
                progress("\(title): round trips of \(payload) bytes, \(contestant.name)")
                let samples = try await contestant.roundTrips(
                    payloadBytes: payload, seconds: plan.secondsPerPoint)
                findings.roundTrips[contestant.name, default: [:]][payload, default: []] += samples
            }
        }
    }

    private func measureFlows(_ title: String, _ findings: inout TransportsFindings) async throws {
        let kinds = [(FlowRequest.Mode.unicast, 2)] + plan.endpoints.map { (.broadcast, $0) }
        for (mode, endpoints) in kinds {
            for payload in plan.payloads {
                let request = FlowRequest(
                    mode: mode, endpoints: endpoints, payloadBytes: payload, seconds: plan.secondsPerPoint)
                for contestant in contestants where payload <= findings.messageLimit(of: contestant) {
                    progress(
                        "\(title): \(mode.rawValue) of \(payload) bytes, \(endpoints) endpoints, \(contestant.name)")
                    guard let result = try await contestant.pacedFlow(request) else { continue }
                    let point = TransportsFindings.Point(
                        contestant: contestant.name, mode: mode, endpoints: endpoints, payloadBytes: payload)
                    findings.flows[point, default: []].append(result)
                }
            }
        }
    }

    private func measureStreams(_ title: String, _ findings: inout TransportsFindings) async throws {
        for contestant in contestants + [Contestant(kind: .stream, hasKey: false)] {
            progress("\(title): an exchange, \(contestant.name)")
            let result = try await contestant.stream(
                chunkBytes: TransportsPlan.chunkBytes, seconds: plan.secondsPerPoint)
            if let result { findings.streams[contestant.name, default: []].append(result) }
        }
    }

    private func measureOverload(_ findings: inout TransportsFindings) async throws {
        for (mode, endpoints) in [(FlowRequest.Mode.unicast, 2), (.broadcast, plan.overloadEndpoints)] {
            let request = FlowRequest(
                mode: mode, endpoints: endpoints, payloadBytes: TransportsPlan.comparedPayloadBytes,
                seconds: plan.overloadSeconds)
            for contestant in contestants {
                progress("\(mode.rawValue) without a limit, \(endpoints) endpoints, \(contestant.name)")
                guard let (result, sender, receivers) = try await contestant.openFlow(request) else { continue }
                findings.overloads.append(
                    .init(
                        contestant: contestant.name, request: request, result: result, droppedBySender: sender,
                        droppedByReceivers: receivers))
            }
        }
    }
}
