internal import Reports

/// Tables and charts of `TransportsFindings`.
struct TransportsReport: Sendable {
    let plan: TransportsPlan
    let contestants: [Contestant]
    let findings: TransportsFindings

    init(_ plan: TransportsPlan, _ contestants: [Contestant], _ findings: TransportsFindings) {
        (self.plan, self.contestants, self.findings) = (plan, contestants, findings)
    }

    func report(on machine: Machine) -> BenchmarkReport {
        var report = BenchmarkReport("transports", machine: machine, settings: plan.settings)
        report.tables = [ratios] + roundTrips + [unicasts] + broadcasts + [processorTime, wire, streams, overload]
        report.charts = charts
        return report
    }

    static func size(_ bytes: Int) -> String {
        bytes >= 1_024 && bytes.isMultiple(of: 1_024) ? "\(bytes / 1_024) KiB" : "\(bytes) B"
    }

    /// Payloads that some transport takes as messages.
    private var messagePayloads: [Int] {
        let largest = findings.messageLimits.values.max() ?? 0
        return plan.payloads.filter { $0 <= largest }
    }

    private var withStream: [Contestant] { contestants + [Contestant(kind: .stream, hasKey: false)] }

    private func point(
        _ contestant: Contestant, _ mode: FlowRequest.Mode, _ endpoints: Int, _ payload: Int
    ) -> TransportsFindings.Point {
        .init(contestant: contestant.name, mode: mode, endpoints: endpoints, payloadBytes: payload)
    }

    // MARK: Against the limits

    /// Each transport that has a limit, and that.
    private var pairs: [(transport: Contestant, limit: Contestant)] {
        contestants.compactMap { contestant in contestant.limit.map { (contestant, $0) } }
    }

    private var ratios: BenchmarkReport.Table {
        let payload = TransportsPlan.comparedPayloadBytes
        var table = BenchmarkReport.Table(
            "Against C, \(payload) bytes, two endpoints", subject: "",
            columns: ["messages/s", "packets/s", "C: messages/s", "messages / C", "packets / C"],
            note: """
                Messages that arrived, a second, with one sender and one receiver in one process, each taken out of \
                arrivals. C hands the same payload to sendmmsg (a datagram for each message, batches of 64, unconnected \
                sockets, two threads on two cores) or to zmq_send (one at a time; DEALER to ROUTER for send, PUB to SUB for broadcast) in a loop and \
                counts on a second thread, with the same window. Transports put several messages into one packet or \
                frame: packets are the UDP packets that the machine sent meanwhile, so that nothing else should. A \
                broadcast over UDP is repeated in a cluster this small, and counts once. Medians of the rounds; a ratio \
                is taken in each round.
                """)
        for mode in FlowRequest.Mode.allCases {
            for (transport, limit) in pairs {
                let (ours, theirs) = (point(transport, mode, 2, payload), point(limit, mode, 2, payload))
                var isPackets = false
                if case .transport(let candidate) = transport.kind { isPackets = candidate.limit == .datagrams }
                table.add(
                    "\(transport.name), \(mode.rawValue)",
                    [
                        findings.median(ours, of: \.rate), isPackets ? findings.median(ours, of: \.datagramRate) : nil,
                        findings.median(theirs, of: \.rate), findings.medianRatio(ours, \.rate, over: theirs, \.rate),
                        isPackets ? findings.medianRatio(ours, \.datagramRate, over: theirs, \.rate) : nil,
                    ])
            }
        }
        return table
    }

    // MARK: Round trips

    private var roundTrips: [BenchmarkReport.Table] {
        let limits = contestants.filter { !$0.isLimit }
            .map { "\($0.name) \(findings.messageLimit(of: $0))" }.joined(separator: "; ")
        let note = """
            From send to the arrival of the answer, one at a time, over all rounds. What is larger than a message may be \
            (bytes: \(limits)) goes over one exchange that stays open. C: one datagram each way; DEALER to ROUTER and \
            back; as many bytes each way on one TCP connection, which is what exchanges are to be held against.
            """
        let shares = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
        return shares.map { name, share in
            var table = BenchmarkReport.Table(
                "Round trip \(name), microseconds", subject: "", columns: plan.payloads.map(Self.size),
                note: share == 0.999 ? note : "")
            for contestant in withStream {
                let figures = plan.payloads.map {
                    Percentiles(findings.roundTrips[contestant.name]?[$0] ?? []).at(share)
                }
                if figures.contains(where: { $0 != nil }) { table.add(contestant.name, figures) }
            }
            return table
        }
    }

    // MARK: Flows

    private var unicasts: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Messages a second by send, two endpoints", subject: "", columns: messagePayloads.map(Self.size),
            note: """
                The sender keeps as many messages on the way as turned out fastest: windows of 64, 512 and 4,096, of 2 \
                MiB at most, are tried for a sixth of the time each, and one that loses more than 0.1 % is not taken \
                where another loses less. From the first message handed over to the last arrival. \(largestLoss) A \
                payload larger than a message may be has no figure.
                """)
        for contestant in contestants {
            table.add(
                contestant.name,
                messagePayloads.map { findings.median(point(contestant, .unicast, 2, $0), of: \.rate) })
        }
        return table
    }

    private var largestLoss: String {
        guard let (point, share) = findings.largestLoss, share > 0 else {
            return "Nothing was lost in any flow of this run."
        }
        return "The largest share lost in any flow of this run was \((share * 100).short) %, by \(point.contestant) "
            + "(\(point.mode.rawValue), \(point.endpoints) endpoints, \(Self.size(point.payloadBytes)))."
    }

    private var broadcasts: [BenchmarkReport.Table] {
        let tables = messagePayloads.compactMap { payload -> BenchmarkReport.Table? in
            var table = BenchmarkReport.Table(
                "Broadcasts a second that all peers got, \(Self.size(payload))", subject: "",
                columns: plan.endpoints.map { "\($0) endpoints" })
            for contestant in contestants {
                let figures = plan.endpoints.map {
                    findings.median(point(contestant, .broadcast, $0, payload), of: \.rate)
                }
                if figures.contains(where: { $0 != nil }) { table.add(contestant.name, figures) }
            }
            return table.rows.isEmpty ? nil : table
        }
        guard var last = tables.last else { return [] }
        last.note = """
            One endpoint broadcasts to all others, all in this process, with a window as above that the slowest receiver \
            opens; only messages that every receiver got are counted, each once. C: a datagram for each receiver; one PUB \
            and a SUB for each receiver, all SUBs in one thread.
            """
        return tables.dropLast() + [last]
    }

    private var processorTime: BenchmarkReport.Table {
        flowTable(
            "Processor time of a message, microseconds, two endpoints",
            note: """
                User and system time of this process during the flows above, over messages that arrived: sender, receiver \
                and what the system does for them.
                """
        ) { result, _ in result.microsecondsPerMessage }
    }

    private var wire: BenchmarkReport.Table {
        flowTable(
            "Bytes on the wire for a byte of payload, two endpoints",
            note: """
                What the loopback interface counted during the flows above, headers of IP and UDP or TCP and \
                acknowledgements included, over the bytes of the messages that arrived. Whatever else the machine sends \
                itself counts too: it should be idle.
                """
        ) { $0.wireOverhead(payloadBytes: $1) }
    }

    private func flowTable(
        _ title: String, note: String, _ figure: (FlowResult, Int) -> Double
    ) -> BenchmarkReport.Table {
        var table = BenchmarkReport.Table(title, subject: "", columns: messagePayloads.map(Self.size), note: note)
        for mode in FlowRequest.Mode.allCases {
            for contestant in contestants {
                let figures = messagePayloads.map { payload in
                    findings.median(point(contestant, mode, 2, payload)) { figure($0, payload) }
                }
                table.add("\(contestant.name), \(mode.rawValue)", figures)
            }
        }
        return table
    }

    // MARK: Exchanges

    private var streams: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "One exchange, messages of \(Self.size(TransportsPlan.chunkBytes)), one direction", subject: "",
            columns: ["MB/s", "processor ms/MB", "wire bytes/byte"],
            note: """
                From the first message to the last one read. C: writes and reads of the same size on one TCP connection; \
                zmq_send from a DEALER to a ROUTER, 64 messages on the way at most.
                """)
        for contestant in withStream where findings.streams[contestant.name] != nil {
            table.add(
                contestant.name,
                [
                    findings.median(contestant.name, of: \.megabytesPerSecond),
                    findings.median(contestant.name, of: \.millisecondsPerMegabyte),
                    findings.median(contestant.name, of: \.wireOverhead),
                ])
        }
        return table
    }

    // MARK: Overload

    private var overload: BenchmarkReport.Table {
        var table = BenchmarkReport.Table(
            "Nothing holds the sender back, \(TransportsPlan.comparedPayloadBytes) bytes", subject: "",
            columns: [
                "handed over/s", "all got/s", "least got, %", "most got, %", "sender told, %", "receivers told, %",
                "vanished, %",
            ],
            note: """
                Messages are handed over as fast as they can be made for \(plan.overloadSeconds.short) s. Shares are of \
                what was handed over: what the receiver with fewest and the one with most got, and what the endpoints \
                told to be dropped, summed over causes. Sums of broadcasts are not of one unit and can be over 100 %: UDP \
                counts a message once before it is meant for particular peers and once for each peer after, ZeroMQ \
                counts lost frames, of many messages each. So what vanished, neither arrived nor told, is only known of \
                send. C tells nothing: a PUB drops at its mark of 1,000 messages, a DEALER waits at it, the kernel \
                drops at a full receive buffer.
                """)
        for overload in findings.overloads {
            let (result, handed) = (overload.result, Double(overload.result.handed))
            func percent(_ count: Int) -> Double { handed > 0 ? Double(count) / handed * 100 : 0 }
            let told = [overload.droppedBySender, overload.droppedByReceivers].compactMap { $0 }
            let isExact = overload.request.mode == .unicast && told.count == 2
            let vanished = max(0, result.handed - result.total - told.reduce(0, +))
            table.add(
                "\(overload.contestant), \(overload.request.mode.rawValue) to \(overload.request.endpoints - 1)",
                [
                    handed / plan.overloadSeconds, result.rate, percent(result.least), percent(result.most),
                    overload.droppedBySender.map(percent), overload.droppedByReceivers.map(percent),
                    isExact ? percent(vanished) : nil,
                ])
        }
        return table
    }

    // MARK: Charts

    /// Transports first, so that they have the same colours in all charts.
    private func byKind(_ contestants: [Contestant]) -> [Contestant] {
        contestants.filter { !$0.isLimit } + contestants.filter(\.isLimit)
    }

    private var charts: [Chart] {
        let roundTrip = LineChart(
            title: "Round trip p50, microseconds", horizontal: "payload, bytes",
            series: byKind(withStream).map { contestant in
                let points = (findings.roundTrips[contestant.name] ?? [:]).sorted { $0.key < $1.key }
                    .compactMap { payload, samples in
                        Percentiles(samples).p50.map { LineChart.Point(x: Double(payload), y: $0) }
                    }
                return .init(name: contestant.name, points: points)
            }.filter { !$0.points.isEmpty })
        let payload = TransportsPlan.comparedPayloadBytes
        let broadcast = LineChart(
            title: "Broadcasts a second that all got, \(payload) bytes", horizontal: "endpoints",
            series: byKind(contestants).map { contestant in
                let points = plan.endpoints.compactMap { endpoints in
                    findings.median(point(contestant, .broadcast, endpoints, payload), of: \.rate)
                        .map { LineChart.Point(x: Double(endpoints), y: $0) }
                }
                return .init(name: contestant.name, points: points)
            })
        let stream = BarChart(
            title: "One exchange, MB/s",
            bars: byKind(withStream).compactMap { contestant in
                findings.median(contestant.name, of: \.megabytesPerSecond).map {
                    BarChart.Bar(contestant.name, $0, kind: contestant.isLimit ? 3 : 0)
                }
            })
        let ratio = BarChart(
            title: "Messages a second over those of C, \(payload) bytes",
            bars: ratios.rows.enumerated().compactMap { index, row in
                row.figures[3].map { BarChart.Bar(row.name, $0, kind: index / pairs.count) }
            })
        return [.lines(roundTrip), .lines(broadcast), .bars(stream), .bars(ratio)]
    }
}
