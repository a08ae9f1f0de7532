internal import Testing
internal import Transport

/// What every plugin tells of what it has moved and dropped.
enum FigureChecks {
    static func unicasts(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 2) { nodes in
            let messages = (1...20).map { TestMessage.make($0, size: 40 * $0) }
            let expected = TransportStats.Traffic(messages: 20, bytes: messages.reduce(0) { $0 + $1.count })
            for message in messages { nodes[0].transport.send(message, on: channel, to: nodes[1].address) }
            await eventually("all are counted where they went") { nodes[1].stats[channel].received == expected }
            await eventually("all are counted where they came from") { nodes[0].stats[channel].sent == expected }
            #expect(nodes[0].stats[channel].received == .init() && nodes[1].stats[channel].sent == .init())
            let other: Channel = channel == .membership ? .replication : .membership
            #expect(nodes[0].stats[other] == .init() && nodes[1].stats[other] == .init())
            #expect(nodes[0].stats.drops == [:] && nodes[1].stats.drops == [:])
        }
    }

    static func broadcasts(setting: Setting) async throws {
        try await withNodes(setting, 5) { nodes in
            nodes[0].transport.setPeers([
                Peer(address: nodes[1].address), Peer(address: nodes[2].address), Peer(address: nodes[3].address),
                Peer(address: nodes[4].address, channels: [.membership]),
            ])
            let message = TestMessage.make(1, size: 100)
            for _ in 0..<10 {
                nodes[0].transport.broadcast(
                    message, on: .replication,
                    options: BroadcastOptions(skipping: [nodes[1].address], isRepeated: false))
            }
            let expected = TransportStats.Traffic(messages: 10, bytes: 10 * message.count)
            for node in [nodes[2], nodes[3]] {
                await eventually("all arrive") { node.stats.replication.received == expected }
            }
            await eventually("two peers are counted") {
                nodes[0].stats.replication.sent == .init(messages: 20, bytes: 20 * message.count)
            }
            for node in [nodes[1], nodes[4]] { #expect(node.messages(on: .replication).isEmpty) }
        }
    }

    static func receiveQueue(plugin: TestedPlugin) async throws {
        try await withNodes(plugin.fixture(), [NodeOptions(), NodeOptions()]) { nodes in
            let message = TestMessage.make(1, size: 500)
            for _ in 0..<7 { nodes[0].transport.send(message, on: .replication, to: nodes[1].address) }
            await eventually("seven wait") {
                nodes[1].stats.replication.receiveQueue == .init(messages: 7, bytes: 7 * (message.count + 64))
            }
            #expect(nodes[1].received(on: .replication).count == 7)
            #expect(nodes[1].stats.replication.receiveQueue == .init())
            await eventually("nothing waits to be sent") { nodes[0].stats.replication.sendQueue == .init() }
        }
    }

    static func lifecycle(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        let other = TestNode(try fixture.makeNode(NodeOptions()))
        let node = TestNode(try fixture.makeNode(NodeOptions()))
        node.transport.setPeers([Peer(address: other.address)])
        node.transport.send(TestMessage.make(1), on: .membership, to: other.address)
        let before = node.stats.membership
        #expect(before.sent.messages + before.sendQueue.messages == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in [node, other] { group.addTask { try await node.transport.run() } }
            await eventually("it is sent") { node.stats.membership.sent.messages == 1 }
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(node.stats.membership.sent.messages == 1 && node.stats.openExchanges == 0)
    }

    static func drops(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let tooLarge = TestMessage.make(1, size: nodes[0].transport.maxMessageBytes + 1)
            for _ in 0..<3 { nodes[0].transport.send(tooLarge, on: .replication, to: nodes[1].address) }
            await eventually("three are counted") { nodes[0].stats.drops[.tooLarge] == 3 }
            await eventually("three are reported") { nodes[0].dropped(.tooLarge) == 3 }
            #expect(nodes[0].stats.drops == [.tooLarge: 3] && nodes[0].stats.replication.sent == .init())
        }
    }

    static func exchanges(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            let settled = nodes.map(\.stats.openExchanges)
            #expect(settled == [0, 0])
            try await hold(nodes, count: 3) {
                await eventually("three are open on both sides") { nodes.allSatisfy { $0.stats.openExchanges == 3 } }
            }
            await eventually("none is") { nodes.allSatisfy { $0.stats.openExchanges == 0 } }
        }
    }

    static func refusals(plugin: TestedPlugin) async throws {
        let options = [NodeOptions(key: Setting.testKey), NodeOptions(key: Setting.otherKey)]
        try await withNodes(plugin.fixture(), options, isSettled: false) { nodes in
            for _ in 0..<3 {
                _ = await exchangeError(nodes[1], with: nodes[0].address, on: .replication)
            }
            await eventually("each is counted") { (nodes[0].stats.refusals[.otherKey] ?? 0) >= 3 }
            #expect(Set(nodes[0].stats.refusals.keys) == [.otherKey])
        }
    }

    /// Runs `body` while `count` exchanges are open, and lets go of them.
    private static func hold(_ nodes: [TestNode], count: Int, _ body: () async -> Void) async throws {
        var pairs: [(ours: any Exchange, theirs: any Exchange)] = []
        for _ in 0..<count { pairs.append(try await nodes[0].open(.replication, to: nodes[1])) }
        await body()
        for pair in pairs {
            pair.ours.close()
            pair.theirs.close()
        }
    }
}

extension FigureChecks {
    static let all: [ConformanceCheck] = [
        .perChannel(
            "Unicasts count on both sides with the bytes that were handed over, on their channel alone", unicasts),
        .perSetting("A broadcast counts once for each peer that it goes to, the skipped and the deaf not", broadcasts),
        .perPlugin("What waits for the consumer shows until it is taken, with 64 bytes for each", receiveQueue),
        .perPlugin(
            "Figures are there before it runs, what is handed over then waits, and they stay when it has ended",
            lifecycle),
        .perSetting("Every drop that is reported is counted, and those yet to be reported", drops),
        .perSetting("Open exchanges count on both sides until they are over", exchanges),
        .perPlugin("Whoever is turned away is counted each time, though reported once", refusals),
    ]
}
