internal import Testing
internal import Transport

/// What every plugin promises of `send` and `broadcast`.
enum MessageChecks {
    static func unicast(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 3) { nodes in
            nodes[0].transport.send(TestMessage.make(1), on: channel, to: nodes[1].address)
            nodes[1].transport.send(TestMessage.make(2), on: channel, to: nodes[0].address)
            await eventually("both unicasts arrive") {
                !nodes[0].received(on: channel).isEmpty && !nodes[1].received(on: channel).isEmpty
            }
            let expected = Arrival(message: TestMessage.make(1), sender: nodes[0].address, delivery: .unicast)
            #expect(nodes[1].received(on: channel) == [expected])
            #expect(nodes[0].messages(on: channel) == [TestMessage.make(2)])
            #expect(nodes[2].received(on: channel).isEmpty)
        }
    }

    static func unicastToStranger(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            nodes[0].transport.setPeers([])
            nodes[0].transport.send(TestMessage.make(1), on: .membership, to: nodes[1].address)
            await eventually("the unicast arrives") { nodes[1].messages(on: .membership) == [TestMessage.make(1)] }
        }
    }

    static func broadcast(setting: Setting) async throws {
        try await withNodes(setting, 5) { nodes in
            for number in 0..<50 {
                nodes[0].transport.broadcast(TestMessage.make(number), on: .replication, options: BroadcastOptions())
            }
            let expected = Set((0..<50).map { TestMessage.make($0) })
            for node in nodes.dropFirst() {
                await eventually("all 50 arrive") { Set(node.messages(on: .replication)) == expected }
                let arrivals = node.received(on: .replication)
                #expect(arrivals.allSatisfy { $0.delivery == .broadcast(reachedEveryone: true) })
                #expect(arrivals.allSatisfy { $0.sender == nodes[0].address })
            }
            #expect(nodes[0].received(on: .replication).isEmpty)
        }
    }

    static func broadcastOnce(setting: Setting) async throws {
        try await withNodes(setting, 3) { nodes in
            nodes[0].transport.broadcast(
                TestMessage.make(1), on: .replication, options: BroadcastOptions(isRepeated: false))
            for node in nodes.dropFirst() {
                await eventually("it arrives") { node.messages(on: .replication) == [TestMessage.make(1)] }
            }
        }
    }

    static func skipping(setting: Setting) async throws {
        try await withNodes(setting, 4) { nodes in
            let options = BroadcastOptions(skipping: [nodes[1].address], isRepeated: false)
            nodes[0].transport.broadcast(TestMessage.make(1), on: .replication, options: options)
            nodes[0].transport.broadcast(TestMessage.make(2), on: .replication, options: BroadcastOptions())
            for node in nodes.dropFirst() {
                await eventually("the second arrives") { node.messages(on: .replication).contains(TestMessage.make(2)) }
            }
            #expect(!nodes[1].messages(on: .replication).contains(TestMessage.make(1)))
            let first = nodes[2].received(on: .replication).first { $0.message == TestMessage.make(1) }
            #expect(first?.delivery == .broadcast(reachedEveryone: true))
            #expect(nodes[3].messages(on: .replication).contains(TestMessage.make(1)))
        }
    }

    static func channels(setting: Setting) async throws {
        try await withNodes(setting, 3) { nodes in
            nodes[0].transport.setPeers([
                Peer(address: nodes[1].address), Peer(address: nodes[2].address, channels: [.membership]),
            ])
            for number in 0..<20 {
                nodes[0].transport.broadcast(TestMessage.make(number), on: .replication, options: BroadcastOptions())
            }
            nodes[0].transport.send(TestMessage.make(98), on: .replication, to: nodes[2].address)
            nodes[0].transport.broadcast(TestMessage.make(99), on: .membership, options: BroadcastOptions())
            for node in nodes.dropFirst() {
                await eventually("membership arrives") { !node.received(on: .membership).isEmpty }
                #expect(Set(node.messages(on: .membership)) == [TestMessage.make(99)])
            }
            await eventually("replication arrives") { Set(nodes[1].messages(on: .replication)).count == 20 }
            #expect(nodes[2].received(on: .replication).isEmpty)
        }
    }

    static func largestMessage(setting: Setting, channel: Channel) async throws {
        try await withNodes(setting, 2) { nodes in
            let size = nodes[0].transport.maxMessageBytes
            #expect(size >= 1_024)
            let (largest, tooLarge) = (TestMessage.make(1, size: size), TestMessage.make(2, size: size + 1))
            #expect(largest.count == size && tooLarge.count == size + 1)
            nodes[0].transport.send(tooLarge, on: channel, to: nodes[1].address)
            nodes[0].transport.broadcast(tooLarge, on: channel, options: BroadcastOptions())
            nodes[0].transport.send(largest, on: channel, to: nodes[1].address)
            await eventually("the largest arrives") { nodes[1].messages(on: channel) == [largest] }
            await eventually("both drops are counted") { nodes[0].dropped(.tooLarge) == 2 }
        }
    }

    static func burst(setting: Setting) async throws {
        try await withNodes(setting, 2) { nodes in
            for number in 0..<20_000 {
                nodes[0].transport.broadcast(
                    TestMessage.make(number, size: 100), on: .replication, options: BroadcastOptions())
            }
            await eventually("99 of 100 arrive", within: .seconds(20)) {
                Set(nodes[1].messages(on: .replication)).count >= 19_800
            }
        }
    }

    static func receiveQueueFull(plugin: TestedPlugin) async throws {
        let options = [NodeOptions(), NodeOptions(maxArrivalBytes: 20_000)]
        try await withNodes(plugin.fixture(), options) { nodes in
            for number in 0..<200 {
                nodes[0].transport.send(TestMessage.make(number, size: 936), on: .replication, to: nodes[1].address)
            }
            await eventually("180 drops are counted") { nodes[1].dropped(.receiveQueueFull) == 180 }
            #expect(nodes[1].messages(on: .replication) == (180..<200).map { TestMessage.make($0, size: 936) })
        }
    }
}

extension MessageChecks {
    static let all: [ConformanceCheck] = [
        .perChannel("A unicast reaches its peer, and nobody else", unicast),
        .perSetting("A unicast needs no entry in the list of peers", unicastToStranger),
        .perSetting("A broadcast reaches every peer, says so, and not its sender", broadcast),
        .perSetting("A broadcast that is not repeated reaches every peer once", broadcastOnce),
        .perSetting("A broadcast skips whom it is told to skip and still reached everyone", skipping),
        .perSetting("Channels are separate, and a peer gets nothing of a channel it does not understand", channels),
        .perChannel("The largest message arrives; one byte more is dropped and counted", largestMessage),
        .perSetting("A burst of 20,000 small messages arrives nearly whole", burst),
        .perPlugin("A full receive queue drops the oldest and counts", receiveQueueFull),
    ]
}
