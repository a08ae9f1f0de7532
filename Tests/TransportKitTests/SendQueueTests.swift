import Testing
import Transport
@testable import TransportKit

@Suite("Queues towards a peer")
struct SendQueueTests {
    private func message(_ bytes: [UInt8], _ channel: Channel = .replication) -> SendQueue.Message {
        SendQueue.Message(bytes, on: channel, delivery: .unicast)
    }

    @Test("Messages come out in order, the channels in turn")
    func order() {
        var queue = SendQueue(maxBytes: PerChannel(repeating: 10_000))
        for number in 1...3 as ClosedRange<UInt8> { #expect(queue.append(message([number])) == 0) }
        #expect(queue.append(message([9], .membership)) == 0)
        #expect((0..<4).compactMap { _ in queue.popFirst()?.bytes } == [[9], [1], [2], [3]])
        #expect(queue.isEmpty && queue.popFirst() == nil)
    }

    @Test("Past the bytes of a channel its oldest go and are counted; the other channel keeps its own")
    func bound() {
        var queue = SendQueue(maxBytes: PerChannel(repeating: 3 * (SendQueue.messageCost + 1)))
        #expect(queue.append(message([0], .membership)) == 0)
        #expect((1...5 as ClosedRange<UInt8>).map { queue.append(message([$0])) } == [0, 0, 0, 1, 1])
        #expect(queue.waiting(on: .replication) == .init(messages: 3, bytes: 3 * (SendQueue.messageCost + 1)))
        #expect(queue.append(message([UInt8](repeating: 0, count: 10_000))) == 4)
        #expect(queue.waiting(on: .replication) == .init())
        #expect(queue.removeAll() == 1 && queue.isEmpty)
    }

    @Test("News takes the place of older news with its key, on its channel")
    func replacing() {
        var queue = SendQueue(maxBytes: PerChannel(repeating: 10_000))
        _ = queue.append(message([1]), replacing: "a")
        _ = queue.append(message([2]), replacing: "b")
        _ = queue.append(message([3], .membership), replacing: "a")
        _ = queue.append(message([4]), replacing: "a")
        #expect(queue.waiting(on: .replication).messages == 2)
        #expect((0..<3).compactMap { _ in queue.popFirst()?.bytes } == [[3], [2], [4]])
        _ = queue.append(message([5]), replacing: "a")
        #expect(queue.popFirst()?.bytes == [5] && queue.isEmpty)
    }

    @Test("News that is replaced again and again takes no room")
    func replacedOften() {
        var queue = SendQueue(maxBytes: PerChannel(repeating: 10_000))
        for number in 0..<10_000 {
            if number.isMultiple(of: 1_000) { _ = queue.append(message([UInt8(number / 1_000)])) }
            for key in ["a", "b"] { _ = queue.append(message([100, UInt8(number % 100)]), replacing: key) }
        }
        #expect(queue.waiting(on: .replication).messages == 12)
        #expect(queue.placeCount < 100)
        var rest: [[UInt8]] = []
        while let message = queue.popFirst() { rest.append(message.bytes) }
        #expect(rest == (0..<10).map { [$0] } + [[100, 99], [100, 99]])
        _ = queue.append(message([1]), replacing: "a")
        _ = queue.append(message([2]), replacing: "a")
        #expect(queue.popFirst()?.bytes == [2] && queue.popFirst() == nil)
    }
}
