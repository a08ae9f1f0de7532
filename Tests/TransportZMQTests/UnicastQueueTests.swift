import Testing
import Transport
import TransportKit

@testable import TransportZMQ

@Suite("Unicasts that wait")
struct UnicastQueueTests {
    private static func queue(_ messages: [[UInt8]]) -> UnicastQueue {
        var queue = UnicastQueue(.replication)
        for message in messages { #expect(queue.append(message) == 0) }
        return queue
    }

    @Test("What waits, what goes out and what goes with its link is counted")
    func tally() {
        let tally = UnicastTally()
        var queue = UnicastQueue(.replication, tally: tally)
        var other = UnicastQueue(.replication, tally: tally)
        for size in [10, 20] { _ = queue.append([UInt8](repeating: 0, count: size)) }
        _ = other.append([1])
        #expect(tally.waiting[.replication] == .init(messages: 3, bytes: 31) && tally.sent[.replication] == .init())
        _ = queue.nextFrame()
        other.removeAll()
        #expect(tally.waiting[.replication] == .init() && tally.sent[.replication] == .init(messages: 2, bytes: 30))
        let lost = (0..<40).reduce(0) { sum, _ in sum + queue.append([UInt8](repeating: 0, count: 32_768)) }
        #expect(lost > 0 && tally.waiting[.replication] == .init(messages: 40 - lost, bytes: (40 - lost) * 32_768))
        #expect(tally.waiting[.membership] == .init() && tally.sent[.membership] == .init())
    }

    /// All frames until nothing waits.
    private static func frames(_ queue: inout UnicastQueue) throws -> [(message: LinkMessage, bytes: [UInt8])] {
        var frames: [(message: LinkMessage, bytes: [UInt8])] = []
        while let (bytes, count, cost) = queue.nextFrame() {
            let message = try LinkMessage.decode(bytes)
            switch message {
            case .unicast(.replication, _): #expect(count == 1)
            case .unicasts(.replication, let messages): #expect(count == messages.count)
            default: Issue.record("a frame is \(message)")
            }
            #expect(cost == bytes.count - 2 + ExchangeStream.frameCost)
            frames.append((message, bytes))
        }
        #expect(queue.isEmpty && queue.count == 0)
        return frames
    }

    @Test("One alone has the form of one, several go together in order")
    func together() throws {
        var none = Self.queue([])
        #expect(none.nextFrame() == nil)
        var one = Self.queue([[1, 2]])
        #expect(try Self.frames(&one).map(\.message) == [.unicast(.replication, message: [1, 2])])
        var three = Self.queue([[1, 2], [], [3]])
        #expect(three.count == 3)
        #expect(try Self.frames(&three).map(\.message) == [.unicasts(.replication, messages: [[1, 2], [], [3]])])
    }

    @Test("A frame is filled to its last byte, and no further", arguments: [0, 1])
    func fullFrame(excess: Int) throws {
        // Two headers of messages, and that of the frame.
        let room = UnicastQueue.maxFrameBytes - 2 - 4 - 4
        let messages = [[UInt8](repeating: 1, count: 1_000), [UInt8](repeating: 2, count: room - 1_000 + excess)]
        var queue = Self.queue(messages)
        let frames = try Self.frames(&queue)
        if excess == 0 {
            #expect(frames.map(\.message) == [.unicasts(.replication, messages: messages)])
            #expect(frames[0].bytes.count == UnicastQueue.maxFrameBytes)
        } else {
            #expect(frames.map(\.message) == messages.map { .unicast(.replication, message: $0) })
        }
    }

    @Test("The largest message goes alone, with small ones around it too")
    func largest() throws {
        let largest = [UInt8](repeating: 7, count: BroadcastPacker.maxMessageBytes(in: Publisher.maxFrameBytes))
        let filler = [UInt8](repeating: 8, count: 40_000)
        var queue = Self.queue([filler, largest, filler, [1]])
        #expect(
            try Self.frames(&queue).map(\.message) == [
                .unicast(.replication, message: filler), .unicast(.replication, message: largest),
                .unicasts(.replication, messages: [filler, [1]]),
            ])
    }

    @Test("Beyond the bound the oldest go, and as many are told", arguments: [0, 1, 200])
    func bound(messageBytes: Int) throws {
        var queue = UnicastQueue(.replication)
        let room = UnicastQueue.maxBytes / (messageBytes + UnicastQueue.messageCost)
        let message = [UInt8](repeating: 1, count: messageBytes)
        for _ in 0..<room { #expect(queue.append(message) == 0) }
        #expect(queue.append(message) == 1)
        #expect(queue.count == room)
        // One large one takes the place of many.
        let large = [UInt8](repeating: 3, count: 60_000)
        let lost = queue.append(large)
        #expect(lost >= 60_000 / (messageBytes + UnicastQueue.messageCost) && queue.count == room + 1 - lost)
        let left = try Self.frames(&queue).flatMap { frame -> [[UInt8]] in
            switch frame.message {
            case .unicast(_, let message): [message]
            case .unicasts(_, let messages): messages
            default: []
            }
        }
        // Apart, so that a failure does not print all of them.
        let isRight = left == [[UInt8]](repeating: message, count: room - lost) + [large]
        #expect(isRight)
    }
}
