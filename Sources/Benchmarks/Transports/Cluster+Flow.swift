internal import Transport

/// Messages one way through a transport: handed to `send` or `broadcast` here, taken out of `arrivals` there.
extension Cluster {
    /// Messages handed over between two looks at the clock.
    private static let batch = 64
    /// How long without an arrival ends a flow that nothing limited: repetitions may still come.
    private static let openPatience: Duration = .milliseconds(600)
    private static let drainLimit: Duration = .seconds(10)

    /// What one receiver got.
    private struct Receipt: Sendable {
        var numbers = NumberSet()
        /// Seconds from the start to the last new message.
        var lastArrival = 0.0
    }

    /// `run` tells this flow's messages from those of others in the same cluster; not 0.
    func flow(_ request: FlowRequest, run: UInt32) async throws -> FlowResult {
        let targets = request.mode == .unicast ? Array(receivers.prefix(1)) : receivers
        let window = FlowWindow(size: request.window, receivers: targets.count)
        let before = ResourceUse.now
        let watch = Stopwatch()
        let counting = targets.enumerated().map { index, target in
            Task { await Self.count(target, index, run, window, watch) }
        }
        let ticker = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(50))
                window.forgiveLosses()
            }
        }
        let limit = Duration.seconds(request.seconds) + Self.drainLimit
        let handed: Int
        do {
            handed = try await within(limit, "a flow of \(request.payloadBytes) bytes") { [self] in
                let handed = await hand(request, run, window, watch)
                try await Self.drain(window, request.window == nil ? Self.openPatience : FlowWindow.patience)
                return handed
            }
        } catch {
            ticker.cancel()
            for task in counting { task.cancel() }
            throw error
        }
        ticker.cancel()
        let use = ResourceUse.now - before
        var receipts: [Receipt] = []
        for task in counting {
            task.cancel()
            receipts.append(await task.value)
        }
        return Self.sum(receipts, handed: handed, use: use)
    }

    private func hand(_ request: FlowRequest, _ run: UInt32, _ window: FlowWindow, _ watch: Stopwatch) async -> Int {
        var handed = 0
        let address = receivers[0].boundAddress
        while watch.seconds < request.seconds, !Task.isCancelled {
            var room = await window.room()
            while room > 0, watch.seconds < request.seconds {
                let count = min(room, Self.batch)
                window.noteHanded(count)
                for number in handed..<(handed + count) {
                    let message = Message.make(run: run, number: UInt32(number), bytes: request.payloadBytes)
                    switch request.mode {
                    case .unicast: sender.send(message, on: Self.channel, to: address)
                    case .broadcast: sender.broadcast(message, on: Self.channel, options: BroadcastOptions())
                    }
                }
                handed += count
                room -= count
            }
        }
        return handed
    }

    private static func drain(_ window: FlowWindow, _ patience: Duration) async throws {
        while !window.isComplete, window.silence < patience { try await Task.sleep(for: .milliseconds(2)) }
    }

    private static func count(
        _ receiver: any Transport, _ index: Int, _ run: UInt32, _ window: FlowWindow, _ watch: Stopwatch
    ) async -> Receipt {
        var receipt = Receipt()
        while let batch = await receiver.arrivals(on: channel).next() {
            let before = receipt.numbers.count
            for arrival in batch {
                if let number = Message.number(arrival.message, run: run) { receipt.numbers.insert(number) }
            }
            guard receipt.numbers.count > before else { continue }
            receipt.lastArrival = watch.seconds
            window.note(receiver: index, count: receipt.numbers.count)
        }
        return receipt
    }

    private static func sum(_ receipts: [Receipt], handed: Int, use: ResourceUse) -> FlowResult {
        let counts = receipts.map(\.numbers.count)
        return FlowResult(
            seconds: receipts.map(\.lastArrival).max() ?? 0, handed: handed,
            gotByAll: NumberSet.commonCount(receipts.map(\.numbers)), least: counts.min() ?? 0,
            most: counts.max() ?? 0, total: counts.reduce(0, +), use: use)
    }
}
