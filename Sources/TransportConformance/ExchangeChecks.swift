internal import Testing
internal import Transport

/// What every plugin promises of exchanges.
enum ExchangeChecks {
    static func bothWays(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(channel, to: nodes[1])
            #expect(ours.peer == nodes[1].address)
            async let first: Void = sendNumbers(1..<3_000, to: ours)
            async let second: Void = sendNumbers(0..<3_000, to: theirs)
            async let gotThere = receiveNumbers(2_999, from: theirs)
            async let gotHere = receiveNumbers(3_000, from: ours)
            try await first
            try await second
            #expect(try await gotThere == (1..<3_000).map { TestMessage.make($0) })
            #expect(try await gotHere == (0..<3_000).map { TestMessage.make($0) })
        }
    }

    static func closing(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(channel, to: nodes[1])
            // Something unread on the closing side must not cost the other side its messages.
            try await theirs.send(TestMessage.make(7))
            try await sendNumbers(1..<200, to: ours)
            ours.close()
            ours.close()
            #expect(try await receiveNumbers(199, from: theirs) == (1..<200).map { TestMessage.make($0) })
            #expect(try await theirs.receive() == nil)
            await #expect(throws: ExchangeError.closed) { try await ours.send(TestMessage.make(1)) }
        }
    }

    /// On `replication` alone: a message of membership begins with its type, and its wire may be memberlist's.
    static func emptyMessages(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            let messages: [[UInt8]] = [[1], [], [], [], [2]]
            for message in messages { try await ours.send(message) }
            ours.close()
            #expect(try await receiveNumbers(messages.count, from: theirs) == messages)
            #expect(try await theirs.receive() == nil)
        }
    }

    static func dropping(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let theirs = try await dropped(from: nodes[0], to: nodes[1])
            #expect(try await theirs.receive() == nil)
        }
    }

    private static func dropped(from dialler: TestNode, to acceptor: TestNode) async throws -> any Exchange {
        try await dialler.open(.replication, to: acceptor).theirs
    }

    static func flowControl(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            let sent = Counter()
            let sender = Task {
                for number in 0..<1_000 {
                    try await ours.send(TestMessage.make(number, size: 65_536))
                    sent.increment()
                }
            }
            // 64 MB are to be sent: the sender must come to rest long before.
            await eventually("the sender rests") { sent.isAtRest }
            #expect(sent.value > 0 && sent.value < 500)
            for number in 0..<1_000 {
                #expect(try await theirs.receive() == TestMessage.make(number, size: 65_536))
            }
            try await sender.value
        }
    }

    static func deadReader(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            let sent = Counter()
            let sender = Task { () -> ExchangeError? in
                do throws(ExchangeError) {
                    while true {
                        try await ours.send(TestMessage.make(1, size: 65_536))
                        sent.increment()
                    }
                } catch {
                    return error
                }
            }
            await eventually("the sender rests") { sent.isAtRest }
            theirs.close()
            #expect(await sender.value == .closed)
        }
    }

    static func cancelWaiting(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            let receiver = Task { await error { () async throws(ExchangeError) in _ = try await ours.receive() } }
            receiver.cancel()
            #expect(await receiver.value == .closed)
            try await theirs.send(TestMessage.make(5))
            #expect(try await ours.receive() == TestMessage.make(5))
        }
    }

    private static func error(_ body: () async throws(ExchangeError) -> Void) async -> ExchangeError? {
        do {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    static func largeMessages(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(channel, to: nodes[1])
            let size = nodes[0].transport.maxExchangeMessageBytes
            #expect(size >= 1024 * 1024)
            let largest = TestMessage.make(3, size: size)
            async let sending: Void = ours.send(largest)
            #expect(try await theirs.receive() == largest)
            try await sending
            await #expect(throws: ExchangeError.tooLarge) { try await ours.send(TestMessage.make(3, size: size + 1)) }
            try await ours.send(TestMessage.make(4))
            #expect(try await theirs.receive() == TestMessage.make(4))
        }
    }

    static func manyBytes(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            let sender = Task {
                for number in 0..<320 { try await ours.send(TestMessage.make(number, size: 65_536)) }
                ours.close()
            }
            var count = 0
            while let message = try await theirs.receive() {
                #expect(message == TestMessage.make(count, size: 65_536))
                count += 1
            }
            #expect(count == 320)
            try await sender.value
        }
    }

    static func nobodyThere(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        let listeners = SilentListeners()
        let (unused, silent) = (try fixture.unusedAddress(), try fixture.silentAddress(listeners))
        try await withNodes(fixture, [NodeOptions()]) { nodes in
            for channel in Channel.allCases {
                #expect(await exchangeError(nodes[0], with: unused, on: channel) == .refused)
            }
            #expect(await exchangeError(nodes[0], with: silent, on: .replication) == .noAnswer)
        }
    }

    /// The deadline of a dial begins when the node runs, and what has come is read before deadlines are looked at.
    static func dialBeforeRun(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        let unused = try fixture.unusedAddress()
        let node = TestNode(try fixture.makeNode(NodeOptions()))
        let attempts = Channel.allCases.map { channel in
            Task { await exchangeError(node, with: unused, on: channel) }
        }
        try await Task.sleep(for: ConformanceTimes.dial * 1.5)
        let running = Task { try await node.transport.run() }
        for attempt in attempts { #expect(await attempt.value == .refused) }
        running.cancel()
        try await running.value
    }

    /// Past its deadline a receiver is told so, and the exchange is closed; what has come is given however late.
    static func receiveDeadline(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let (ours, theirs) = try await nodes[0].open(.replication, to: nodes[1])
            try await theirs.send(TestMessage.make(1))
            #expect(try await ours.receive(within: .seconds(20)) == TestMessage.make(1))
            let start = ContinuousClock.now
            await #expect(throws: ExchangeError.noAnswer) {
                _ = try await ours.receive(until: start + .milliseconds(100))
            }
            #expect(.now - start >= .milliseconds(100) && .now - start < .seconds(10))
            await #expect(throws: ExchangeError.closed) { try await ours.send(TestMessage.make(2)) }
            #expect(try await theirs.receive(within: .seconds(20)) == nil)
        }
    }

    static func cancelAttempt(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        let listeners = SilentListeners()
        let silent = try fixture.silentAddress(listeners)
        try await withNodes(fixture, [NodeOptions()]) { nodes in
            let attempt = Task { await exchangeError(nodes[0], with: silent, on: .replication) }
            attempt.cancel()
            #expect(await attempt.value == .closed)
        }
    }

    static func tooManyExchanges(plugin: TestedPlugin) async throws {
        let options = [NodeOptions(), NodeOptions(maxExchanges: 3)]
        try await withNodes(plugin.fixture(), options) { nodes in
            var open: [(ours: any Exchange, theirs: any Exchange)] = []
            for _ in 0..<3 { open.append(try await nodes[0].open(.replication, to: nodes[1])) }
            #expect(await exchangeError(nodes[0], with: nodes[1].address, on: .replication) == .closed)
            try await open[0].ours.send(TestMessage.make(1))
            #expect(try await open[0].theirs.receive() == TestMessage.make(1))
            await eventually("it is reported") { !nodes[1].refusals(.tooManyExchanges).isEmpty }
            open = []
            await eventually("there is room again") {
                nodes[1].transport.exchanges(on: .replication).takeNow().isEmpty
            }
            var error: ExchangeError? = .closed
            let deadline = ContinuousClock.now + .seconds(5)
            while error != nil, ContinuousClock.now < deadline {
                error = await attempt(nodes[0], nodes[1])
                if error != nil { try await Task.sleep(for: .milliseconds(5)) }
            }
            #expect(error == nil)
            _ = try await nodes[1].accept(on: .replication)
        }
    }

    private static func attempt(_ dialler: TestNode, _ acceptor: TestNode) async -> ExchangeError? {
        do throws(ExchangeError) {
            _ = try await dialler.transport.exchange(on: .replication, with: acceptor.address)
            return nil
        } catch {
            return error
        }
    }

    private static func sendNumbers(_ numbers: Range<Int>, to exchange: any Exchange) async throws {
        for number in numbers { try await exchange.send(TestMessage.make(number)) }
    }

    private static func receiveNumbers(_ count: Int, from exchange: any Exchange) async throws -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while messages.count < count, let message = try await exchange.receive() { messages.append(message) }
        return messages
    }
}

extension ExchangeChecks {
    static let all: [ConformanceCheck] = [
        .perChannel("Thousands of messages pass both ways at once in order", bothWays),
        .perChannel("What was sent before close arrives, then the end", closing),
        .perSetting("Empty messages in a row arrive, each of them", emptyMessages),
        .perSetting("Dropping the last reference closes the exchange", dropping),
        .perSetting("A sender waits while nobody reads, and goes on when somebody does", flowControl),
        .perSetting("A reader that goes away frees a waiting sender with an error", deadReader),
        .perSetting("A waiting receiver and a waiting sender end when their task is cancelled", cancelWaiting),
        .perChannel("Messages of 1 MiB pass; larger ones are refused by the sender", largeMessages),
        .perSetting("20 MB pass through one exchange unchanged", manyBytes),
        .perPlugin("An address where nothing listens refuses, one that is silent does not answer", nobodyThere),
        .perPlugin(
            "A dial that waits longer than its deadline before the node runs is refused all the same", dialBeforeRun),
        .perSetting("A receiver waits until its deadline, and the exchange is closed then", receiveDeadline),
        .perPlugin("Cancelling the task ends an attempt", cancelAttempt),
        .perPlugin("Exchanges past the bound are closed, those within go on", tooManyExchanges),
    ]
}
