import class Foundation.NSLock
import Testing
import Transport

@Suite("The batch queue")
struct BatchQueueTests {
    @Test("Elements come out in order, in batches up to the limit")
    func order() async {
        let queue = BatchQueue<Int>(maxCount: 100)
        #expect(queue.append([1, 2, 3, 4, 5]).isEmpty)
        #expect(await queue.next(limit: 2) == [1, 2])
        queue.append([6])
        #expect(queue.takeNow(limit: 3) == [3, 4, 5])
        #expect(await queue.next() == [6])
        #expect(queue.takeNow().isEmpty)
    }

    @Test("Past the count the oldest are dropped and counted")
    func countBound() {
        let queue = BatchQueue<Int>(maxCount: 3)
        #expect(queue.append([1, 2, 3]).isEmpty)
        #expect(queue.append([4, 5]) == [1, 2])
        #expect(queue.droppedCount == 2)
        #expect(queue.takeNow() == [3, 4, 5])
    }

    @Test("Past the bytes the oldest are dropped; one too large by itself is dropped alone")
    func byteBound() {
        let queue = BatchQueue<[UInt8]>(maxBytes: 10, maxCount: 100) { $0.count }
        let four = [UInt8](repeating: 1, count: 4)
        #expect(queue.append([four, four]).isEmpty)
        #expect(queue.append([[UInt8](repeating: 2, count: 11)]).count == 1)
        #expect(queue.append([[3, 3]]).isEmpty)
        #expect(queue.append([[4]]) == [four])
        #expect(queue.takeNow() == [four, [3, 3], [4]])
        // What was taken gives its bytes back.
        #expect(queue.append([[UInt8](repeating: 5, count: 10)]).isEmpty)
        #expect(queue.takeNow(limit: 1).count == 1)
        #expect(queue.append([[UInt8](repeating: 5, count: 10)]).isEmpty)
    }

    @Test("A waiting consumer is woken by an element, and by the end")
    func waiting() async {
        let queue = BatchQueue<Int>(maxCount: 10)
        async let first = queue.next()
        queue.append([7])
        #expect(await first == [7])
        async let last = queue.next()
        queue.finish()
        #expect(await last == nil)
    }

    @Test("After the end what is there can be taken, nothing can be added, and waiting ends")
    func finished() async {
        let queue = BatchQueue<Int>(maxCount: 10)
        queue.append([1, 2])
        queue.finish()
        queue.finish()
        #expect(queue.append([3, 4, 5]) == [3, 4, 5])
        #expect(await queue.next(limit: 1) == [1])
        #expect(await queue.next() == [2])
        #expect(await queue.next() == nil)
    }

    @Test("A cancelled consumer stops waiting, and another can take its place")
    func cancelled() async {
        let queue = BatchQueue<Int>(maxCount: 10)
        let waiting = Task { await queue.next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        queue.append([1])
        #expect(await queue.next() == [1])
    }

    /// Takes its owner's lock when it ends, as the last reference to an exchange does.
    private final class Ending: Sendable {
        let lock: NSLock
        let ended: BatchQueue<Int>

        init(_ lock: NSLock, _ ended: BatchQueue<Int>) { (self.lock, self.ended) = (lock, ended) }

        deinit { lock.withLock { _ = ended.append([1]) } }
    }

    @Test("What is dropped is given back, so that it ends outside of every lock; what was taken is not kept")
    func droppedElements() {
        let lock = NSLock()
        let ended = BatchQueue<Int>(maxCount: 100)
        let queue = BatchQueue<Ending>(maxCount: 2)
        var lost: [Ending] = []
        lock.withLock {
            for _ in 0..<3 { lost += queue.append([Ending(lock, ended)]) }
            #expect(lost.count == 1)
        }
        #expect(ended.takeNow().isEmpty)
        lost = []
        #expect(ended.takeNow().count == 1)
        _ = queue.takeNow(limit: 1)
        #expect(ended.takeNow().count == 1)
        queue.finish()
        _ = queue.append([Ending(lock, ended)])
        #expect(ended.takeNow().count == 1)
    }

    @Test("Nothing is lost or doubled between a producer on other threads and a consumer")
    func concurrent() async {
        let queue = BatchQueue<Int>(maxCount: 1_000_000)
        async let sum: Int = {
            var sum = 0
            while let batch = await queue.next(limit: 100) { sum += batch.reduce(0, +) }
            return sum
        }()
        await withTaskGroup(of: Void.self) { group in
            for producer in 0..<4 {
                group.addTask { for value in 0..<10_000 { queue.append([producer * 10_000 + value]) } }
            }
        }
        queue.finish()
        #expect(await sum == (0..<40_000).reduce(0, +))
        #expect(queue.droppedCount == 0)
    }
}
