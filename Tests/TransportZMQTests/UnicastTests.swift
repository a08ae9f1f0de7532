import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// Unicasts over links: several in a frame, and how many may be on their way.
    @Suite("Unicasts over links", .timeLimit(.minutes(1)))
    struct UnicastTests {
        /// The messages of a frame of unicasts, and what it counts.
        private static func contents(of message: LinkMessage?) -> (channel: Channel, messages: [[UInt8]], cost: Int)? {
            switch message {
            case .unicast(let channel, let message): (channel, [message], message.count + ExchangeStream.frameCost)
            case .unicasts(let channel, let messages):
                (channel, messages, messages.reduce(ExchangeStream.frameCost) { $0 + 4 + $1.count })
            default: nil
            }
        }

        @Test("A burst arrives whole and in order, whatever goes together", arguments: Channel.allCases)
        func burst(channel: Channel) async throws {
            let nodes = try await settledPair()
            for number in 0..<3_000 {
                let message = numbered(number, bytes: 8 + number % 400)
                nodes[0].transport.send(message, on: channel, to: nodes[1].address)
            }
            await eventually("all arrive") { nodes[1].received(on: channel).count >= 3_000 }
            #expect(nodes[1].numbers(on: channel) == Array(0..<3_000))
            #expect(nodes[1].received(on: channel).allSatisfy { $0.sender == nodes[0].address })
        }

        @Test("Replication beyond the window waits for word of what has arrived, membership does not")
        func window() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeAcceptor(context)
            node.setPeers([fake.address])
            let id = try await fake.welcome()
            func send(_ number: Int, bytes: Int, on channel: Channel) {
                node.transport.send(numbered(number, bytes: bytes), on: channel, to: fake.address)
            }
            func take(_ numbers: inout [Int]) async -> Int {
                var cost = 0
                while let frame = await fake.next(within: .milliseconds(300)) {
                    guard let (channel, messages, frameCost) = Self.contents(of: frame) else { continue }
                    #expect(channel == .replication)
                    numbers += messages.map { number(of: $0) }
                    cost += frameCost
                }
                return cost
            }
            // What is sent before the welcome is taken in waits in a queue that holds less than what follows.
            send(776, bytes: 16, on: .membership)
            #expect(await fake.next() == .unicast(.membership, message: numbered(776)))
            // 1.7 MB, large ones and small ones; what does not go out fits into the queue.
            for number in 0..<200 { send(number, bytes: number % 10 == 0 ? 60_000 : 3_000, on: .replication) }
            var numbers: [Int] = []
            let first = await take(&numbers)
            #expect(first <= LinkWindow.windowBytes)
            #expect(first > LinkWindow.windowBytes - 2 * UnicastQueue.maxFrameBytes)
            #expect(numbers == Array(0..<numbers.count) && numbers.count < 200)
            send(777, bytes: 16, on: .membership)
            #expect(await fake.next() == .unicast(.membership, message: numbered(777)))
            await fake.say(.arrived(bytes: UInt32(first)), to: id)
            _ = await take(&numbers)
            #expect(numbers == Array(0..<200))
            #expect(node.dropped(.sendQueueFull) == 0)
        }

        @Test("Unicasts of both forms and both channels are confirmed as they arrive")
        func confirmed() async throws {
            let (node, context) = (try RunningNode(), try RawContext())
            let fake = try FakeDialler(context, to: node.address)
            try await fake.greet()
            var messages: [LinkMessage] = []
            for number in 0..<4 { messages.append(.unicast(.replication, message: numbered(number, bytes: 60_000))) }
            messages.append(.unicasts(.membership, messages: [numbered(4, bytes: 10), numbered(5, bytes: 20)]))
            messages.append(.unicast(.replication, message: numbered(6, bytes: 60_000)))
            for message in messages { await fake.say(message) }
            let cost = messages.reduce(0) { $0 + (Self.contents(of: $1)?.cost ?? 0) }
            #expect(cost == 5 * 61_024 + 1_024 + 4 + 10 + 4 + 20)
            #expect(await fake.hears(.arrived(bytes: UInt32(cost))))
            #expect(node.numbers(on: .membership) == [4, 5])
            #expect(node.numbers(on: .replication) == [0, 1, 2, 3, 6])
        }
    }
}
