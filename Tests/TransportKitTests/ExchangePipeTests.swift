import Foundation
import Testing
import Transport
import TransportKit

@Suite("The end of an exchange", .timeLimit(.minutes(1)))
struct ExchangePipeTests {
    /// What the owner was told.
    private final class Heard: ExchangePipeOwner, @unchecked Sendable {
        private let lock = NSLock()
        private var heard: [ExchangePipe.Signal] = []

        func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) { add(signal) }
        func add(_ signal: ExchangePipe.Signal) { lock.withLock { heard.append(signal) } }
        var signals: [ExchangePipe.Signal] { lock.withLock { heard } }
    }

    private func pipe(window: Int = 1_000, isOpen: Bool = true) -> (ExchangePipe, Heard) {
        let heard = Heard()
        return (ExchangePipe(windowBytes: window, maxMessageBytes: 500, isOpen: isOpen, owner: heard), heard)
    }

    private func error(_ body: () async throws(ExchangeError) -> Void) async -> ExchangeError? {
        do {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    private func becomes(_ condition: () -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while !condition() {
            guard .now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(1))
        }
        return true
    }

    @Test("Messages go out in order as they were prepared, and the owner is told once until it has taken all")
    func outgoing() async throws {
        let (pipe, heard) = pipe(isOpen: false)
        #expect(pipe.open { [0] + $0 })
        try await pipe.send([1])
        try await pipe.send([2])
        #expect(heard.signals == [.outgoing])
        #expect(pipe.takeOutgoing(maxBytes: 0)?.frames == [[0, 1]])
        try await pipe.send([3])
        #expect(heard.signals == [.outgoing])
        #expect(pipe.takeOutgoing()?.frames == [[0, 2], [0, 3]])
        #expect(pipe.takeOutgoing() == nil)
        try await pipe.send([4])
        #expect(heard.signals == [.outgoing, .outgoing])
        await #expect(throws: ExchangeError.tooLarge) { try await pipe.send([UInt8](repeating: 0, count: 501)) }
    }

    @Test("A sender waits while a window is unsent, and goes on once something was sent")
    func window() async throws {
        let (pipe, _) = pipe()
        let message = [UInt8](repeating: 1, count: 500)
        let sender = Task { for _ in 0..<10 { try await pipe.send(message) } }
        var sent = 0
        while sent < 10 {
            guard let outgoing = pipe.takeOutgoing(maxBytes: 0) else {
                await Task.yield()
                continue
            }
            sent += 1
            // Not yet sent: the window stays full.
            pipe.didSend(cost: outgoing.cost)
        }
        try await sender.value
        try await pipe.send(message)
        try await pipe.send(message)
        let waiting = Task { try await pipe.send(message) }
        waiting.cancel()
        #expect(
            await error { () async throws(ExchangeError) in
                switch await waiting.result {
                case .success: break
                case .failure(let error): throw error as? ExchangeError ?? .busy
                }
            } == .closed)
        #expect(pipe.takeOutgoing()?.frames.count == 2)
    }

    @Test("Messages of nothing fill the window too, and reading makes room and is told")
    func room() async throws {
        let (pipe, heard) = pipe()
        while pipe.hasRoom { pipe.deliver([[]]) }
        var read = 0
        while pipe.hasUnread {
            #expect(try await pipe.receive() == [])
            read += ExchangePipe.messageCost
            if pipe.takeRead(atLeast: 250) > 0 { read = 0 }
        }
        #expect(read < 250 && pipe.hasRoom)
        #expect(heard.signals.allSatisfy { $0 == .read } && heard.signals.count >= 3)
    }

    @Test("What has arrived is received before the end; an end is nil, a failure an error")
    func ends() async throws {
        let (clean, _) = pipe()
        clean.deliver([[1], [2]])
        clean.end()
        clean.fail(.closed)
        #expect(try await clean.receive() == [1])
        #expect(try await clean.receive() == [2])
        #expect(try await clean.receive() == nil)
        await #expect(throws: ExchangeError.closed) { try await clean.send([1]) }
        let (broken, _) = pipe()
        broken.deliver([[1]])
        broken.fail(.closed)
        broken.end()
        #expect(try await broken.receive() == [1])
        await #expect(throws: ExchangeError.closed) { _ = try await broken.receive() }
    }

    @Test("A half end leaves the own direction open")
    func halfEnd() async throws {
        let (pipe, _) = pipe()
        pipe.end(isWhole: false)
        #expect(try await pipe.receive() == nil)
        try await pipe.send([1])
        pipe.close()
        #expect(pipe.phase == .closing && pipe.takeOutgoing()?.frames == [[1]])
        pipe.finished()
        #expect(pipe.phase == .over)
    }

    @Test("After close nothing is sent or received, what waited ends, and what was sent can still go out")
    func close() async throws {
        let (pipe, heard) = pipe()
        try await pipe.send([1])
        let receiver = Task { await error { () async throws(ExchangeError) in _ = try await pipe.receive() } }
        pipe.close()
        pipe.close()
        #expect(await receiver.value == .closed)
        #expect(heard.signals == [.outgoing, .closed])
        pipe.deliver([[2]])
        await #expect(throws: ExchangeError.closed) { _ = try await pipe.receive() }
        await #expect(throws: ExchangeError.closed) { try await pipe.send([3]) }
        #expect(pipe.takeOutgoing()?.frames == [[1]])
    }

    @Test("Past the deadline the exchange is closed with no answer; what has come is given however late")
    func deadline() async throws {
        let (pipe, heard) = pipe()
        pipe.deliver([[1]])
        #expect(try await pipe.receive(until: .now - .seconds(1)) == [1])
        let start = ContinuousClock.now
        #expect(
            await error { () async throws(ExchangeError) in
                _ = try await pipe.receive(until: start + .milliseconds(30))
            } == .noAnswer)
        #expect(.now - start >= .milliseconds(30))
        #expect(heard.signals == [.closed] && pipe.phase == .closing)
        await #expect(throws: ExchangeError.closed) { _ = try await pipe.receive() }
    }

    @Test("A later deadline after an earlier one counts, and one after a message")
    func laterDeadline() async throws {
        let (pipe, _) = pipe()
        let start = ContinuousClock.now
        let early = Task { try await pipe.receive(until: start + .milliseconds(20)) }
        pipe.deliver([[1]])
        #expect(try await early.value == [1])
        #expect(
            await error { () async throws(ExchangeError) in
                _ = try await pipe.receive(until: start + .milliseconds(60))
            } == .noAnswer)
        #expect(.now - start >= .milliseconds(60))
    }

    @Test("A cancelled receiver loses nothing")
    func cancelled() async throws {
        let (pipe, heard) = pipe()
        let receiver = Task { await error { () async throws(ExchangeError) in _ = try await pipe.receive() } }
        receiver.cancel()
        #expect(await receiver.value == .closed)
        pipe.deliver([[1]])
        #expect(try await pipe.receive() == [1])
        #expect(heard.signals.isEmpty)
    }

    @Test("An attempt ends when it opens, fails, or its task is cancelled")
    func opening() async throws {
        let (opened, _) = pipe(isOpen: false)
        let waiting = Task { try await opened.waitUntilOpen() }
        #expect(opened.open())
        try await waiting.value
        let (failed, _) = pipe(isOpen: false)
        let refused = Task { await error { () async throws(ExchangeError) in try await failed.waitUntilOpen() } }
        failed.fail(.refused)
        #expect(await refused.value == .refused)
        let (given, heard) = pipe(isOpen: false)
        let cancelled = Task { await error { () async throws(ExchangeError) in try await given.waitUntilOpen() } }
        cancelled.cancel()
        #expect(await cancelled.value == .closed)
        #expect(heard.signals == [.closed] && given.phase == .over && !given.open())
    }

    @Test("The last handle closes the pipe and says so")
    func handle() async {
        let (pipe, heard) = pipe()
        let released = Heard()
        var exchange: PipeExchange? = PipeExchange(
            peer: PeerAddress(host: .v4(1), port: 1), pipe: pipe, onRelease: { released.add(.closed) })
        #expect(exchange != nil && heard.signals.isEmpty)
        exchange = nil
        #expect(heard.signals == [.closed] && released.signals == [.closed])
    }

    @Test("Nothing is lost, doubled or left waiting between a sender, an owner and a receiver on threads of their own")
    func threads() async throws {
        let (ours, theirs) = (pipe(window: 4_096), pipe(window: 4_096))
        let sender = Task {
            for number in 0..<20_000 { try await ours.0.send([UInt8(number >> 8), UInt8(number & 255)]) }
            ours.0.close()
        }
        let owner = Task {
            while ours.0.phase != .over {
                _ = theirs.0.takeRead()
                while theirs.0.hasRoom, let outgoing = ours.0.takeOutgoing(maxBytes: 64) {
                    theirs.0.deliver(outgoing.frames)
                    ours.0.didSend(cost: outgoing.cost)
                }
                if ours.0.phase == .closing, theirs.0.hasRoom {
                    theirs.0.end()
                    ours.0.finished()
                }
                await Task.yield()
            }
        }
        var number = 0
        while let message = try await theirs.0.receive(until: .now + .seconds(20)) {
            #expect(message == [UInt8(number >> 8), UInt8(number & 255)])
            number += 1
        }
        #expect(number == 20_000)
        try await sender.value
        await owner.value
    }
}
