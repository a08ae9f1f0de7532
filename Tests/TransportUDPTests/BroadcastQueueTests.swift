import Foundation
import Testing
import Transport
import TransportKit

@testable import TransportUDP

/// The order in which queued broadcasts are taken.
@Suite("Broadcast queue")
struct BroadcastQueueTests {
    @Test("Least sent first, then the longest that fits, then the newest")
    func order() {
        var queue = BroadcastQueue(maxBytes: 1 << 20)
        queue.add([1, 1, 1], key: nil, transmits: 1)
        queue.add([2], key: nil, transmits: 0)
        queue.add([3, 3], key: nil, transmits: 0)
        queue.add([4, 4], key: nil, transmits: 0)
        queue.add([5, 5, 5, 5], key: nil, transmits: 0)
        var order: [UInt8] = []
        while let part = queue.take(atMost: 3) { order.append(part[0]) }
        #expect(order == [4, 3, 2, 1])
        queue.putBack(limit: 2)
        #expect(queue.count == 4)
        #expect(queue.take(atMost: 1_400)?.first == 5)
        #expect(queue.take(atMost: 1_400)?.first == 4)
        queue.putBack(limit: 2)
        #expect(queue.count == 3)
    }

    @Test("Newest first also after many were put back in another order")
    func orderAfterPutBack() {
        var queue = BroadcastQueue(maxBytes: 1 << 20)
        for number in 0..<200 { queue.add([UInt8(number)], key: nil, transmits: 0) }
        for _ in 0..<20 {
            for _ in 0..<10 { _ = queue.take(atMost: 5) }
            queue.putBack(limit: 9)
        }
        var order: [UInt8] = []
        while let part = queue.take(atMost: 5) { order.append(part[0]) }
        #expect(order == (0..<200).reversed().map { UInt8($0) })
    }

    @Test("A key has one entry, and the bound drops the oldest")
    func keysAndBound() {
        var queue = BroadcastQueue(maxBytes: 3 * 74)
        for number in 0..<3 { queue.add([UInt8](repeating: UInt8(number), count: 10), key: "same", transmits: 0) }
        #expect(queue.count == 1 && queue.bytes == 74 && queue.droppedCount == 0)
        for number in 3..<6 { queue.add([UInt8](repeating: UInt8(number), count: 10), key: nil, transmits: 0) }
        #expect(queue.count == 3 && queue.droppedCount == 1)
        var order: [UInt8] = []
        while let part = queue.take(atMost: 10) { order.append(part[0]) }
        #expect(order == [5, 4, 3])
    }

    @Test("What was dropped or replaced is never taken, however much of it there was, and the rest in order")
    func goneEntries() {
        var queue = BroadcastQueue(maxBytes: 100 * 74)
        for number in 0..<20_000 {
            let part = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1 + number % 10)
            queue.add(part, key: number % 3 == 0 ? "key \(number % 7)" : nil, transmits: number % 4)
        }
        let live = queue.count
        #expect(live <= 740 && queue.bytes <= 7_400)
        var lengths: [Int] = []
        while let part = queue.take(atMost: 1_400) { lengths.append(part.count) }
        #expect(lengths.count == live)
        queue.putBack(limit: 1)
        #expect(queue.isEmpty && queue.bytes == 0 && queue.take(atMost: 1_400) == nil)
        queue.add([1], key: nil, transmits: 0)
        #expect(queue.take(atMost: 1) == [1])
    }

    @Test("Dropping a repetition of what every peer was sent counts as no loss")
    func dropsOfRepetitions() {
        var queue = BroadcastQueue(maxBytes: 2 * 74)
        let part = [UInt8](repeating: 0, count: 10)
        queue.add(part, key: nil, transmits: 2, isEverywhere: true)
        queue.add(part, key: nil, transmits: 9)
        queue.add(part, key: nil, transmits: 0)
        #expect(queue.count == 2 && queue.droppedCount == 0)
        queue.add(part, key: nil, transmits: 0)
        #expect(queue.count == 2 && queue.droppedCount == 1)
    }
}
