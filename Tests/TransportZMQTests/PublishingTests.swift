import CLibZMQ
import Foundation
import TestSupport
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// Where PUB/SUB loses without a word: what the plugin makes of it.
    @Suite("Slow joiners and slow subscribers", .timeLimit(.minutes(1)))
    struct PublishingTests {
        @Test("Nothing is missing uncounted from the moment on in which the publisher reports a joiner as connected")
        func slowJoiner() async throws {
            let publisher = try RunningNode()
            let sent = Counted()
            let broadcasting = Task {
                while !Task.isCancelled {
                    publisher.broadcast(sent.increment(), bytes: 200)
                    await publisher.flush()
                    try? await Task.sleep(for: .microseconds(500))
                }
            }
            var joiners: [(node: RunningNode, reported: Int)] = []
            for _ in 0..<10 {
                let joiner = try RunningNode()
                joiner.setPeers([publisher.address])
                publisher.setPeers(joiners.map(\.node.address) + [joiner.address])
                await eventually("the publisher reports the joiner") { publisher.count(.connected(joiner.address)) > 0 }
                joiners.append((joiner, sent.value))
            }
            // More than the mark of one subscriber.
            await eventually("much is sent") { sent.value > 1_000 }
            broadcasting.cancel()
            await broadcasting.value
            let last = sent.value
            for (joiner, reported) in joiners {
                await eventually("the last arrives") { joiner.numbers().last == last }
                let numbers = joiner.numbers()
                // From the first that came nothing is missing, and that one came before the report.
                let first = try #require(numbers.first)
                #expect(first <= reported + 1)
                let missing = Set(first...last).subtracting(numbers).sorted()
                #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
                // A machine that is too busy may fill the mark: then it is counted, and exactly.
                await eventually("what is missing is counted") { joiner.dropped(.lost) >= missing.count }
                #expect(joiner.dropped(.lost) == missing.count)
            }
            #expect(last > 10)
        }

        @Test("A subscriber that never reads costs the others nothing, and the publisher no more than its mark")
        func deafSubscriber() async {
            await #expect(processExitsWith: .success) {
                let nodes = [try RunningNode(), try RunningNode(), try RunningNode()]
                await settle(nodes)
                let (publisher, healthy) = (nodes[0], nodes[1...])
                let context = try RawContext()
                let deaf = try RawSocket(ZMQ_SUB, in: context, [ZMQ_RCVHWM: 1, ZMQ_RCVBUF: 4_096])
                deaf.set(ZMQ_SUBSCRIBE, [])
                try deaf.connect(publisher.transport.publishAddress)
                await eventually("it was subscribed once") {
                    publisher.broadcast(0)
                    return deaf.receiveNow() != nil
                }
                let before = ProcessFigures.now.residentBytes
                // 120 MB: as much again as the mark allows would show.
                let (count, bytes) = (2_000, 60_000)
                var slowest: Duration = .zero
                for number in 1...count {
                    let start = ContinuousClock.now
                    publisher.broadcast(number, bytes: bytes)
                    slowest = max(slowest, ContinuousClock.now - start)
                    // No faster than the healthy ones read, so that what they miss is the deaf one's doing.
                    if number % 50 == 0 {
                        await eventually("the healthy ones get everything") {
                            healthy.allSatisfy { $0.numbers().last == number }
                        }
                    }
                }
                for node in healthy {
                    #expect(node.numbers().filter { $0 > 0 } == Array(1...count))
                    #expect(node.dropped(.lost) == 0)
                }
                #expect(slowest < .milliseconds(500))
                #expect(publisher.dropped(.sendFailed) == 0)
                let growth = ProcessFigures.now.residentBytes - before
                #expect(growth < 64 << 20, "\(growth >> 20) MiB more")
                // It was deaf, not gone: what was kept for it is still there, and much is missing.
                var kept = 0
                while await deaf.next(within: .milliseconds(500)) != nil { kept += 1 }
                #expect(kept > 100 && kept < count / 2, "\(kept) frames were kept")
            }
        }

        @Test("What a slow link loses is counted by exactly what did not arrive", arguments: Channel.allCases)
        func slowLink(channel: Channel) async throws {
            let pair = try ProxiedPair.make()
            await pair.settle()
            let (publisher, subscriber) = (pair.nodes[0], pair.nodes[1])
            publisher.broadcast(1, on: channel)
            await eventually("the first arrives") { subscriber.numbers(on: channel) == [1] }
            pair.publishers[0].mode = .hold
            // One frame each, 32 MB: more than the mark and the buffers of the system hold.
            for number in 2...800 {
                publisher.broadcast(number, bytes: 40_000, on: channel)
                await publisher.flush()
            }
            pair.publishers[0].mode = .pass
            var last = 800
            await eventually("a later one arrives") {
                last += 1
                publisher.broadcast(last, on: channel)
                await publisher.flush()
                return subscriber.numbers(on: channel).contains { $0 > 800 }
            }
            await eventually("the last arrives") { subscriber.numbers(on: channel).last == last }
            let numbers = subscriber.numbers(on: channel)
            #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
            let missing = last - numbers.count
            #expect(missing > 100)
            await eventually("the loss is counted") { subscriber.dropped(.lost) >= missing }
            #expect(subscriber.dropped(.lost) == missing)
            #expect(pair.disconnections(of: 0) == 0 && pair.disconnections(of: 1) == 0)
        }
    }
}
