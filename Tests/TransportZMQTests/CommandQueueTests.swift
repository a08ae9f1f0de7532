import Testing
import Transport

@testable import TransportZMQ

@Suite("Commands that wait for the thread")
struct CommandQueueTests {
    private static let peer = PeerAddress(host: .v4(0x7f00_0001), port: 1)

    private static func messages(_ batch: CommandQueue.Batch) -> [[UInt8]] {
        batch.commands.compactMap { command in
            switch command {
            case .send(let message, _): message
            case .broadcast(let message, _): message
            case nil: nil
            }
        }
    }

    private static func send(_ number: UInt8, bytes: Int = 36) -> CommandQueue.Command {
        .send([UInt8](repeating: number, count: bytes), peer)
    }

    @Test("The first after each taking wakes")
    func waking() {
        let queue = CommandQueue(maxBytes: 1_000)
        #expect(queue.append(Self.send(1)))
        #expect(!queue.append(Self.send(2)))
        #expect(queue.take(limit: .max).commands.count == 2)
        #expect(queue.append(Self.send(3)))
        #expect(queue.take(limit: 1).commands.count == 1)
        #expect(queue.append(Self.send(4)))
    }

    @Test("They are taken in order, in parts of bounded size")
    func parts() {
        let queue = CommandQueue(maxBytes: 10_000)
        // Each counts 100.
        for number in 0..<10 as Range<UInt8> { _ = queue.append(Self.send(number)) }
        let sizes = [(limit: 299, count: 3), (limit: 300, count: 3), (limit: 1, count: 1), (limit: 300, count: 3)]
        var next: UInt8 = 0
        for (limit, count) in sizes {
            let batch = queue.take(limit: limit)
            #expect(Self.messages(batch).map(\.first) == (0..<count).map { next + UInt8($0) })
            next += UInt8(count)
            #expect(batch.hasMore == (next < 10) && batch.lost == 0)
        }
        #expect(queue.take(limit: .max).commands.isEmpty)
    }

    @Test("What has to go is the oldest, and is told once")
    func bound() {
        let queue = CommandQueue(maxBytes: 1_000)
        for number in 0..<13 as Range<UInt8> { _ = queue.append(Self.send(number)) }
        let batch = queue.take(limit: 500)
        #expect(batch.lost == 3 && batch.hasMore)
        #expect(Self.messages(batch).map(\.first) == [3, 4, 5, 6, 7])
        let rest = queue.take(limit: 500)
        #expect(rest.lost == 0 && !rest.hasMore && Self.messages(rest).count == 5)
        queue.finish()
        #expect(!queue.append(Self.send(1)))
        #expect(queue.take(limit: .max).lost == 1)
    }

    @Test("A broadcast takes the place of one with its key, also of one behind those taken, and not of one taken")
    func replacing() {
        let queue = CommandQueue(maxBytes: 10_000)
        func broadcast(_ number: UInt8) -> CommandQueue.Command {
            .broadcast([UInt8](repeating: number, count: 36), BroadcastOptions(replacing: "key"))
        }
        for command in [Self.send(1), broadcast(2), Self.send(3), broadcast(4)] { _ = queue.append(command) }
        #expect(Self.messages(queue.take(limit: 100)).map(\.first) == [1])
        _ = queue.append(broadcast(5))
        let batch = queue.take(limit: 200)
        #expect(Self.messages(batch).map(\.first) == [3, 5] && !batch.hasMore)
        _ = queue.append(broadcast(6))
        #expect(Self.messages(queue.take(limit: .max)).map(\.first) == [6])
    }
}
