internal import Testing
internal import Transport

/// What every plugin promises of keys, starting and stopping.
enum LifecycleChecks {
    static func otherKey(mismatch: Mismatch) async throws {
        let options = [NodeOptions(key: mismatch.senderKey), NodeOptions(key: mismatch.receiverKey)]
        let fixture = mismatch.plugin.fixture()
        try await withNodes(fixture, options, isSettled: false) { nodes in
            for number in 0..<50 {
                for channel in Channel.allCases {
                    nodes[0].transport.send(TestMessage.make(number, size: 900), on: channel, to: nodes[1].address)
                }
            }
            // Where they do not go together no connection comes about, and the sender counts.
            await eventually("what goes nowhere is counted") {
                nodes[1].dropped(mismatch.cause) + nodes[0].dropped(.unreachable) >= 50
            }
            for channel in Channel.allCases { #expect(nodes[1].received(on: channel).isEmpty) }
            await eventually("it is reported") { !nodes[1].refusals(mismatch.refusal).isEmpty }
            let named = nodes[1].refusals(mismatch.refusal)
            #expect(
                fixture.namesHostsOnly
                    ? named.allSatisfy { $0.host == nodes[0].address.host || $0.isUnspecified }
                    : named == [nodes[0].address])
            for channel in Channel.allCases {
                #expect(await exchangeError(nodes[0], with: nodes[1].address, on: channel) == .otherKey)
                #expect(await exchangeError(nodes[0], with: nodes[1].address, on: channel) == .otherKey)
            }
            // Connections may come from a port of their own, so that they may be told once more.
            #expect((1...2).contains(nodes[1].refusals(mismatch.refusal).count))
            for channel in Channel.allCases { #expect(nodes[1].transport.exchanges(on: channel).takeNow().isEmpty) }
        }
    }

    static func otherKeyExchange(mismatch: Mismatch) async throws {
        let options = [NodeOptions(key: mismatch.senderKey), NodeOptions(key: mismatch.receiverKey)]
        try await withNodes(mismatch.plugin.fixture(), options, isSettled: false) { nodes in
            for channel in Channel.allCases {
                #expect(await exchangeError(nodes[0], with: nodes[1].address, on: channel) == .otherKey)
            }
            await eventually("it is reported") { (1...2).contains(nodes[1].refusals(mismatch.refusal).count) }
        }
    }

    static func addressInUse(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        try await withNodes(fixture, [NodeOptions()]) { nodes in
            let address = nodes[0].address
            #expect(throws: TransportError.addressInUse(address)) {
                try fixture.makeNode(NodeOptions(address: address))
            }
        }
    }

    static func stopWhileBusy(setting: Setting) async throws {
        let fixture = setting.plugin.fixture()
        try await withNodes(fixture, [NodeOptions(key: setting.key)]) { others in
            let node = TestNode(try fixture.makeNode(NodeOptions(key: setting.key)))
            node.setPeers(others)
            for other in others { other.setPeers(others + [node]) }
            let running = Task { try await node.transport.run() }
            await fixture.settle([node] + others)
            let exchange = try await node.transport.exchange(on: .replication, with: others[0].address)
            let (sending, sent) = (Task { await sendForEver(exchange) }, Counter())
            let broadcasting = Task {
                while !Task.isCancelled {
                    node.transport.broadcast(
                        TestMessage.make(1, size: 500), on: .replication, options: BroadcastOptions())
                    sent.increment()
                    await Task.yield()
                }
            }
            let theirs = try await others[0].accept(on: .replication)
            let waiting = Task { await node.transport.arrivals(on: .membership).next() }
            await eventually("it is busy") { sent.value > 100 && !others[0].received(on: .replication).isEmpty }
            let start = ContinuousClock.now
            running.cancel()
            try await running.value
            #expect(ContinuousClock.now - start < .seconds(2))
            broadcasting.cancel()
            #expect(await waiting.value == nil)
            #expect(await sending.value == .closed)
            for channel in Channel.allCases { #expect(await node.transport.exchanges(on: channel).next() == nil) }
            while await node.transport.events.next() != nil {}
            #expect(await exchangeError(node, with: others[0].address, on: .replication) == .closed)
            theirs.close()
            // The address is free again, for packets and exchanges.
            try await restart(fixture, at: node.address, key: setting.key, peer: others[0])
        }
    }

    static func cancelledBeforeStart(plugin: TestedPlugin) async throws {
        let fixture = plugin.fixture()
        let node = try fixture.makeNode(NodeOptions())
        let running = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await node.run()
        }
        try await running.value
        #expect(await node.arrivals(on: .membership).next() == nil)
        _ = try fixture.makeNode(NodeOptions(address: node.boundAddress))
    }

    static func flushAtEnd(setting: Setting) async throws {
        let fixture = setting.plugin.fixture()
        try await withNodes(fixture, [NodeOptions(key: setting.key)]) { others in
            let node = TestNode(try fixture.makeNode(NodeOptions(key: setting.key)))
            node.setPeers(others)
            for other in others { other.setPeers(others + [node]) }
            let running = Task { try await node.transport.run() }
            await fixture.settle([node] + others)
            node.transport.send(TestMessage.make(1), on: .membership, to: others[0].address)
            await eventually("it runs") { !others[0].received(on: .membership).isEmpty }
            node.transport.broadcast(TestMessage.make(2), on: .membership, options: BroadcastOptions())
            running.cancel()
            try await running.value
            await eventually("the last message arrives") {
                others[0].messages(on: .membership).contains(TestMessage.make(2))
            }
        }
    }

    private static func restart(
        _ fixture: any TransportFixture, at address: PeerAddress, key: [UInt8]?, peer: TestNode
    ) async throws {
        try await withNodes(fixture, [NodeOptions(address: address, key: key)]) { again in
            #expect(again[0].address == address)
            again[0].transport.send(TestMessage.make(77), on: .membership, to: peer.address)
            await eventually("packets pass") { peer.messages(on: .membership).contains(TestMessage.make(77)) }
            async let accepted = again[0].accept(on: .replication)
            let exchange = try await peer.transport.exchange(on: .replication, with: address)
            try await exchange.send(TestMessage.make(1))
            #expect(try await accepted.receive() == TestMessage.make(1))
        }
    }

    private static func sendForEver(_ exchange: any Exchange) async -> ExchangeError {
        do throws(ExchangeError) {
            while true { try await exchange.send(TestMessage.make(1, size: 60_000)) }
        } catch {
            return error
        }
    }
}

extension LifecycleChecks {
    static let all: [ConformanceCheck] = [
        .perMismatch("Nothing passes between different keys, and each side is told once", otherKey),
        .perMismatch("A refused exchange alone is reported too", otherKeyExchange),
        .perPlugin("An address in use is an error before anything runs", addressInUse),
        .perSetting("Cancelling a busy node ends it within 2 s and leaves nothing behind", stopWhileBusy),
        .perPlugin("A node stops at once when its task was cancelled before it ran", cancelledBeforeStart),
        .perSetting("What was handed over before the end is still sent", flushAtEnd),
    ]
}
