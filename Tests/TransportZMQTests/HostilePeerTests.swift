import CLibZMQ
import Foundation
import TestSupport
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// Peers that break the protocol: everything is counted, and honest peers do not notice.
    @Suite("Hostile peers", .timeLimit(.minutes(1)))
    struct HostilePeerTests {
        private static let inputCount = 20_000

        @Test("20,000 mutated messages to the ROUTER are counted to the last, and an honest peer is served")
        func garbageToRouter() async throws {
            let (nodes, context) = (try await settledPair(), try RawContext())
            let fake = try FakeDialler(context, to: nodes[0].address)
            try await fake.greet()
            var mutator = Mutator(seed: 11, samples: LinkMessageSamples.encoded)
            var expected = 0
            for round in 0..<Self.inputCount {
                let input = mutator.next()
                switch Result(catching: { try LinkMessage.decode(input) }) {
                case .failure, .success(.hello), .success(.welcome), .success(.refusal), .success(.accepted):
                    expected += 1
                case .success: break
                }
                await fake.say(input)
                if round % 16 == 0 { while fake.socket.receiveNow() != nil {} }
                if round % 500 == 0 { for channel in Channel.allCases { Self.drop(nodes[0], channel) } }
            }
            #expect(expected > 1_000)
            await Self.expectCounted(expected, by: nodes[0]) { while fake.socket.receiveNow() != nil {} }
            fake.socket.close()
            for channel in Channel.allCases { Self.drop(nodes[0], channel) }
            await eventually("nothing is left of it") {
                for channel in Channel.allCases { Self.drop(nodes[0], channel) }
                return nodes[0].transport.stats.openExchanges == 0
            }
            try await expectWorking(nodes[1], nodes[0])
        }

        @Test("20,000 mutated messages from a ROUTER are counted to the last, and an honest peer is served")
        func garbageFromRouter() async throws {
            let (nodes, context) = (try await settledPair(), try RawContext())
            let fake = try FakeAcceptor(context)
            nodes[0].setPeers([nodes[1].address, fake.address])
            let id = try await fake.welcome()
            // The node subscribes once the link is up.
            for _ in 0..<3 { #expect(await fake.publisher.next() != nil) }
            var mutator = Mutator(seed: 12, samples: LinkMessageSamples.encoded)
            var expected = 0
            for _ in 0..<Self.inputCount {
                let input = mutator.next()
                switch Result(catching: { try LinkMessage.decode(input) }) {
                case .success(.refusal): continue
                case .failure, .success(.hello), .success(.unicast), .success(.unicasts), .success(.subscribed),
                    .success(.open):
                    expected += 1
                case .success: break
                }
                await fake.say(input, to: id)
                while fake.router.receiveNow() != nil {}
            }
            #expect(expected > 1_000)
            await Self.expectCounted(expected, by: nodes[0]) {}
            #expect(nodes[0].count(.disconnected(fake.address)) == 0)
            try await expectWorking(nodes[0], nodes[1])
            // A refusal ends the link, and the node tries again.
            await fake.say(.refusal(versions: 1...1), to: id)
            _ = try await fake.welcome()
            #expect(nodes[0].count(.disconnected(fake.address)) == 1)
        }

        @Test("20,000 mutated frames from a publisher are counted to the last, and an honest one is heard")
        func garbageFromPublisher() async throws {
            let (nodes, context) = (try await settledPair(), try RawContext())
            let fake = try FakeAcceptor(context)
            nodes[0].setPeers([nodes[1].address, fake.address])
            _ = try await fake.welcome()
            for _ in 0..<3 { #expect(await fake.publisher.next() != nil) }
            var sequence: UInt64 = 0
            var packer = BroadcastPacker(
                channel: .replication, version: 2, stream: fake.hello.stream, maxFrameBytes: 4_096)
            _ = packer.add(numbered(5), excluding: [1, 2], sequence: &sequence)
            _ = packer.add(numbered(6, bytes: 300), sequence: &sequence)
            let heads = StreamHeads(membership: 7, replication: 9)
            let samples = [
                packer.flush(sequence: &sequence) ?? [],
                BroadcastFrame.beat(version: 2, stream: fake.hello.stream, heads: heads),
            ]
            var mutator = Mutator(seed: 13, samples: samples)
            var expected = 0
            for round in 0..<Self.inputCount {
                let input = mutator.next()
                // What no subscription asks for does not go out.
                let isSubscribed = (0...2).contains(input.first ?? 3)
                if isSubscribed, case .failure = Result(catching: { try BroadcastFrame.decode(input) }) {
                    expected += 1
                }
                #expect(fake.publisher.sendNow(input))
                guard round % 100 == 0 else { continue }
                await eventually("the node reads") {
                    let drops = nodes[0].transport.stats.drops
                    return drops[.malformed, default: 0] + drops[.unsupported, default: 0] >= expected
                }
            }
            #expect(expected > 1_000)
            await Self.expectCounted(expected, by: nodes[0]) {}
            #expect(nodes[0].received(on: .membership).allSatisfy { $0.sender == fake.address })
            try await expectWorking(nodes[0], nodes[1])
        }

        @Test("Exchanges past the bound are refused one by one, ends and resets may come twice")
        func sequenceFaults() async throws {
            let (node, context) = (try RunningNode { $0.maxExchanges = 10 }, try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet(port: 77)
            for number in 1...12 { await fake.say(.open(exchange: UInt32(number), .membership)) }
            for number in 1...10 { #expect(await fake.hears(.accepted(exchange: UInt32(number)))) }
            for number in 11...12 { #expect(await fake.hears(.reset(exchange: UInt32(number), .busy))) }
            await eventually("it is reported") { node.refusals(.tooManyExchanges) == [PeerAddress("127.0.0.1:77")] }
            var exchanges: [any Exchange] = []
            for _ in 0..<10 { exchanges.append(try await node.accept(on: .membership)) }
            // A number that is in use ends what it stood for.
            await fake.say(.open(exchange: 1, .membership))
            #expect(await fake.hears(.reset(exchange: 1, .closed)))
            #expect(await ending(of: exchanges[0]) == .closed)
            for _ in 0..<2 { await fake.say(.end(exchange: 2)) }
            #expect(await ending(of: exchanges[1]) == nil)
            for _ in 0..<2 { await fake.say(.reset(exchange: 3, .closed)) }
            #expect(await ending(of: exchanges[2]) == .closed)
            // Nobody knows these, or no longer.
            for number: UInt32 in [2, 3, 500, .max] {
                await fake.say(.data(exchange: number, endsMessage: true, bytes: [1]))
                await fake.say(.credit(exchange: number, bytes: 1))
                await fake.say(.end(exchange: number))
                await fake.say(.reset(exchange: number, .busy))
            }
            await fake.say(.arrived(bytes: .max))
            for _ in 0..<2 { await fake.say(.hello(Hello(stream: 5, port: 78, publishPort: 9))) }
            await eventually("second hellos are counted") { node.dropped(.malformed) == 2 }
            await fake.say(.data(exchange: 4, endsMessage: true, bytes: [9]))
            #expect(try await exchanges[3].receive() == [9])
            fake.socket.close()
            for exchange in exchanges[4...] { #expect(await ending(of: exchange) == .closed) }
            await eventually("nothing is left", within: .seconds(3)) { node.transport.stats.openExchanges == 0 }
            #expect(await exchangeError(try RunningNode(), with: node.address) == nil)
        }

        @Test("Links that are over do not count: who comes and goes keeps nobody out")
        func shortLinks() async throws {
            let (node, context) = (try RunningNode { $0.maxConnections = 32 }, try RawContext())
            for _ in 0..<40 {
                let fake = try FakeDialler(context, to: node.address)
                // Beyond the bound there may be a wait, but no end to it.
                guard (try? await fake.greet()) != nil else { break }
                fake.socket.close()
            }
            let honest = try RunningNode()
            await eventually("an honest peer comes in", within: .seconds(10)) {
                await exchangeError(honest, with: node.address) == nil
            }
        }

        @Test("Exchanges that a peer opens and resets at once take none from an honest one")
        func openAndReset() async throws {
            let (nodes, context) = (try await settledPair { $0.maxExchanges = 16 }, try RawContext())
            let (ours, theirs) = (
                try await nodes[1].transport.exchange(on: .replication, with: nodes[0].address), nodes[0]
            )
            try await ours.send(numbered(4))
            let fake = try FakeDialler(context, to: nodes[0].address)
            try await fake.greet()
            for number in 1...100 as ClosedRange<UInt32> {
                await fake.say(.open(exchange: number, .replication))
                await fake.say(.reset(exchange: number, .closed))
            }
            #expect(await fake.hears(.accepted(exchange: 100)))
            // Nobody has looked until now; the first is the honest one.
            let first = try await theirs.accept()
            #expect(try await first.receive() == numbered(4))
            try await first.send(numbered(5))
            #expect(try await ours.receive() == numbered(5))
        }

        private static func drop(_ node: RunningNode, _ channel: Channel) {
            _ = node.transport.exchanges(on: channel).takeNow()
            _ = node.transport.arrivals(on: channel).takeNow()
        }

        private static func expectCounted(
            _ expected: Int, by node: RunningNode, sourceLocation: SourceLocation = #_sourceLocation,
            _ meanwhile: () -> Void
        ) async {
            func counted() -> Int { node.dropped(.malformed) + node.dropped(.unsupported) }
            await eventually("all are counted", sourceLocation: sourceLocation) {
                meanwhile()
                return counted() >= expected
            }
            #expect(counted() == expected, sourceLocation: sourceLocation)
        }
    }
}
