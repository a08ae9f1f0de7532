import Foundation
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// Connections that break, stand still or lead to another start of the peer.
    @Suite("Broken connections and restarts", .timeLimit(.minutes(1)))
    struct BrokenConnectionTests {
        enum Cut: CaseIterable { case everything, links, publishers }

        @Test("A cut is reported, healed within 3 s and what it cost is counted, each time", arguments: Cut.allCases)
        func cut(what: Cut) async throws {
            let pair = try ProxiedPair.make()
            await pair.settle()
            let sent = Counted()
            let broadcasting = Task {
                while !Task.isCancelled {
                    pair.nodes[0].broadcast(sent.increment(), bytes: 1_000)
                    await pair.nodes[0].flush()
                    try? await Task.sleep(for: .milliseconds(1))
                }
            }
            await eventually("broadcasts arrive") { !pair.nodes[1].numbers().isEmpty }
            for _ in 0..<3 {
                let (ours, theirs) = try await pair.openExchange()
                let connections = [0, 1].map(pair.connections), disconnections = [0, 1].map(pair.disconnections)
                let cutAt = ContinuousClock.now
                if what != .links { for proxy in pair.publishers { proxy.cut() } }
                if what != .publishers { for proxy in pair.links { proxy.cut() } }
                if what == .publishers {
                    // The links hold, and with them the exchanges.
                    try await theirs.send(numbered(3))
                    #expect(try await ours.receive() == numbered(3))
                } else {
                    #expect(await ending(of: ours) == .closed)
                    #expect(await ending(of: theirs) == .closed)
                    #expect(ContinuousClock.now - cutAt < .seconds(3))
                    await eventually("both report the end", within: .seconds(3)) {
                        [0, 1].allSatisfy { pair.disconnections(of: $0) > disconnections[$0] }
                    }
                }
                await eventually("both are connected again", within: .seconds(3)) {
                    [0, 1].allSatisfy { pair.connections(of: $0) > connections[$0] }
                }
                let marker = sent.value + 1
                await eventually("later broadcasts arrive", within: .seconds(3)) {
                    (pair.nodes[1].numbers().last ?? 0) > marker
                }
            }
            broadcasting.cancel()
            await broadcasting.value
            await eventually("the last arrives") { pair.nodes[1].numbers().last == sent.value }
            let numbers = pair.nodes[1].numbers()
            #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
            let missing = sent.value - (numbers.first ?? 1) + 1 - numbers.count
            await eventually("the loss is counted") { pair.nodes[1].dropped(.lost) >= missing }
            #expect(pair.nodes[1].dropped(.lost) == missing)
            try await expectWorking(pair.nodes[0], pair.nodes[1], at: pair.addresses[1])
        }

        @Test(
            "A peer that starts again at its address is heard, and nothing of its old start", arguments: [true, false])
        func restart(atSamePublishAddress: Bool) async throws {
            let node = try RunningNode()
            let old = try RunningNode { $0.publishAddress = PeerAddress("127.0.0.1:0") }
            await settle([node, old])
            let address = old.address
            let (ours, theirs) = try await openExchange(from: node, to: old)
            for number in 1...50 { old.broadcast(number) }
            await eventually("the old start is heard") { node.numbers().count == 50 }
            try await old.stop()
            #expect(await ending(of: ours) == .closed)
            #expect(await ending(of: theirs) == .closed)
            await eventually("the end is reported") { node.count(.disconnected(address)) == 1 }
            // What goes to nobody must not wait for the new start.
            node.transport.send(numbered(66), on: .replication, to: address)
            let again = try RunningNode {
                $0.bindAddress = address
                if atSamePublishAddress { $0.publishAddress = old.transport.publishAddress }
            }
            #expect((again.transport.publishAddress == old.transport.publishAddress) == atSamePublishAddress)
            again.setPeers([node.address])
            await eventually("it is connected", within: .seconds(5)) {
                again.count(.connected(node.address)) == 1 && node.count(.connected(address)) == 2
            }
            for number in 101...150 { again.broadcast(number) }
            await eventually("the new start is heard") { node.numbers().count == 100 }
            #expect(node.numbers() == Array(1...50) + Array(101...150))
            #expect(again.numbers().isEmpty)
            #expect(node.dropped(.lost) == 0)
            try await expectWorking(node, again)
            try await expectWorking(again, node)
        }

        @Test("Connections that swallow everything are given up within 10 s, and made again within 5 s of the end")
        func halfOpen() async throws {
            let pair = try ProxiedPair.make()
            await pair.settle()
            let (ours, theirs) = try await pair.openExchange()
            let connections = [0, 1].map(pair.connections)
            let start = ContinuousClock.now
            for proxy in pair.links + pair.publishers { proxy.mode = .swallow }
            async let (ourEnd, theirEnd) = (ending(of: ours), ending(of: theirs))
            await eventually("both report the end", within: .seconds(10)) {
                [0, 1].allSatisfy { pair.disconnections(of: $0) == 1 }
            }
            #expect(await ourEnd == .closed)
            #expect(await theirEnd == .closed)
            #expect(ContinuousClock.now - start < .seconds(10))
            for proxy in pair.links + pair.publishers { proxy.mode = .pass }
            await eventually("both are connected again", within: .seconds(5)) {
                [0, 1].allSatisfy { pair.connections(of: $0) > connections[$0] }
            }
            try await expectWorking(pair.nodes[0], pair.nodes[1], at: pair.addresses[1])
        }

        @Test("A peer that was known by two addresses is heard when one of them is taken away", arguments: [0, 1])
        func twoAddresses(left: Int) async throws {
            let node = try RunningNode()
            let other = try RunningNode { $0.bindAddress = PeerAddress(host: .v4(0), port: 0) }
            let addresses = [1, 2].map { PeerAddress(host: .v4(0x7f00_0000 + $0), port: other.address.port) }
            node.setPeers(addresses)
            await eventually("it is heard by both") {
                other.broadcast(1)
                return Set(node.received().map(\.sender)) == Set(addresses)
            }
            node.setPeers([addresses[left]])
            node.broadcast(0)
            await node.flush()
            await eventually("it is still heard", within: .seconds(3)) {
                other.broadcast(2)
                return node.numbers().contains(2)
            }
        }
    }
}

/// Counts from any thread.
///
/// `@unchecked Sendable`: the count is touched under `lock` only.
final class Counted: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    var value: Int { lock.withLock { count } }

    @discardableResult
    func increment(by amount: Int = 1) -> Int {
        lock.withLock {
            count += amount
            return count
        }
    }
}
