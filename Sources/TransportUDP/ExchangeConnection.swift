internal import Foundation
internal import NIOCore
import Transport

/// One TCP connection between the task that uses the exchange and the event loop that moves its bytes.
///
/// Bounded both ways: sending waits while `windowBytes` are on their way to the kernel, and no more is read from the
/// socket while `windowBytes` of messages wait to be received.
///
/// `@unchecked Sendable`: all state is touched under `lock` only. Nothing is asked of the event loop once `phase` is
/// closed, which it is before the loop ends.
final class ExchangeConnection: @unchecked Sendable {
    /// Bytes each way beyond which the sender, or the peer, has to wait. One message may go over it.
    static let windowBytes = 256 * 1024

    private enum Phase { case opening, open, closing, closed }
    private enum Ending { case clean, failure(ExchangeError) }

    private let timeouts: Timeouts
    private let lock = NSLock()
    private var phase = Phase.opening
    private var channel: (any NIOCore.Channel)?
    private var writer = FrameWriter.bare
    private var opener: CheckedContinuation<Void, Never>?
    private var openingError: ExchangeError?

    private var inbox = FIFO<[UInt8]>()
    private var inboxBytes = 0
    private var isReadingPaused = false
    private var ending: Ending?
    private var receiver: CheckedContinuation<Void, Never>?

    private var outgoing = ByteBuffer()
    /// Bytes handed over by `send` that the kernel has not taken yet.
    private var unsentBytes = 0
    private var isFlushPlanned = false
    private var sender: CheckedContinuation<Void, Never>?

    private var lastProgress = NIODeadline.now()
    private var timer: Scheduled<Void>?

    /// How long a connection may take for what.
    struct Timeouts: Sendable {
        var handshake: Duration
        var idle: Duration
        var linger: Duration
    }

    init(timeouts: Timeouts) { self.timeouts = timeouts }
}

// MARK: For the task that uses the exchange

extension ExchangeConnection {
    /// Waits until the handshake is over.
    func waitUntilOpen() async throws(ExchangeError) {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let isWaiting = phase == .opening
                if isWaiting { opener = continuation }
                lock.unlock()
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            fail(.closed)
        }
        let error = lock.withLock { openingError ?? (phase == .opening ? .closed : nil) }
        if let error { throw error }
    }

    /// See `Exchange.send`. When the calling task is cancelled while it waits, the message is not sent.
    func send(_ message: [UInt8]) async throws(ExchangeError) {
        guard message.count <= ExchangeSession.maxMessageBytes else { throw .tooLarge }
        while true {
            if try append(message) { return }
            if Task.isCancelled { throw .closed }
            await wait(on: \.sender) { $0.phase == .open && $0.unsentBytes >= Self.windowBytes }
        }
    }

    /// See `Exchange.receive`. Throws `closed` when the calling task is cancelled; no message is lost by that.
    func receive() async throws(ExchangeError) -> [UInt8]? {
        while true {
            switch takeMessage() {
            case .message(let message): return message
            case .ended(.clean): return nil
            case .ended(.failure(let error)): throw error
            case nil: break
            }
            if Task.isCancelled { throw .closed }
            await wait(on: \.receiver) { $0.inbox.isEmpty && $0.ending == nil && $0.phase == .open }
        }
    }

    /// Lets what was sent go out, tells the peer, and ends. Never waits.
    func close() { close(linger: timeouts.linger) }

    func close(linger: Duration) {
        lock.lock()
        guard phase == .open, let channel else {
            let isOpening = phase == .opening
            lock.unlock()
            if isOpening { fail(.closed) }
            return
        }
        phase = .closing
        let end = writer.end()
        outgoing.writeBytes(end)
        unsentBytes += end.count
        inbox = FIFO()
        inboxBytes = 0
        let hasEnded = ending != nil
        if ending == nil { ending = .failure(.closed) }
        isFlushPlanned = true
        timer?.cancel()
        // Closing with unread bytes in the kernel would reset the connection and might cost the peer our last messages.
        // So the own direction ends first, and what comes is read and dropped until the peer ends its own.
        channel.eventLoop.execute { [self] in
            flush {
                if hasEnded { channel.close(promise: nil) } else { channel.close(mode: .output, promise: nil) }
            }
            channel.read()
        }
        timer = channel.eventLoop.scheduleTask(in: .nanoseconds(linger.wholeNanoseconds)) {
            channel.close(promise: nil)
        }
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
    }

    private enum Taken { case message([UInt8]), ended(Ending) }

    private func takeMessage() -> Taken? {
        lock.withLock {
            guard let message = inbox.popFirst() else {
                if let ending { return .ended(ending) }
                return phase == .open ? nil : .ended(.failure(.closed))
            }
            inboxBytes -= message.count
            lastProgress = .now()
            if isReadingPaused, inboxBytes < Self.windowBytes / 2, let channel, phase == .open {
                isReadingPaused = false
                channel.read()
            }
            return .message(message)
        }
    }

    /// `false` when there is no room now.
    private func append(_ message: [UInt8]) throws(ExchangeError) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard phase == .open, let channel else {
            if case .failure(let error) = ending { throw error }
            throw .closed
        }
        guard unsentBytes < Self.windowBytes else { return false }
        let frame = writer.frame(message)
        outgoing.writeBytes(frame)
        unsentBytes += frame.count
        // Messages sent until the loop comes round share one write.
        if !isFlushPlanned {
            isFlushPlanned = true
            channel.eventLoop.execute { self.flush() }
        }
        return true
    }

    private func wait(
        on waiter: ReferenceWritableKeyPath<ExchangeConnection, CheckedContinuation<Void, Never>?>,
        while isNeeded: (ExchangeConnection) -> Bool
    ) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let mustWait = isNeeded(self) && !Task.isCancelled
                if mustWait {
                    precondition(self[keyPath: waiter] == nil, "one task sends and one receives in an exchange")
                    self[keyPath: waiter] = continuation
                }
                lock.unlock()
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            lock.lock()
            let waiting = takeWaiters()
            lock.unlock()
            // Waking the other side as well does no harm: it looks again and goes on waiting.
            waiting.forEach { $0.resume() }
        }
    }

    /// Called with the lock held.
    private func takeWaiters() -> [CheckedContinuation<Void, Never>] {
        defer { (opener, receiver, sender) = (phase == .opening ? opener : nil, nil, nil) }
        return [phase == .opening ? nil : opener, receiver, sender].compactMap { $0 }
    }
}

// MARK: For the event loop

extension ExchangeConnection {
    /// The connection has a channel; the handshake must be over in time.
    func attach(_ channel: any NIOCore.Channel) {
        let isTooLate = lock.withLock {
            guard phase == .opening else { return true }
            self.channel = channel
            timer = channel.eventLoop.scheduleTask(in: .nanoseconds(timeouts.handshake.wholeNanoseconds)) {
                self.fail(.noAnswer)
            }
            return false
        }
        if isTooLate { channel.close(promise: nil) }
    }

    /// The handshake is over.
    func open(_ writer: FrameWriter) {
        lock.lock()
        guard phase == .opening else { return lock.unlock() }
        phase = .open
        self.writer = writer
        lastProgress = .now()
        timer?.cancel()
        planIdleCheck(in: timeouts.idle)
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
    }

    /// Messages have arrived, in order.
    func deliver(_ messages: [[UInt8]]) {
        lock.lock()
        lastProgress = .now()
        guard phase == .open, ending == nil else { return lock.unlock() }
        for message in messages {
            inbox.append(message)
            inboxBytes += message.count
        }
        let waiting = receiver
        receiver = nil
        lock.unlock()
        waiting?.resume()
    }

    /// Nobody wants what still arrives.
    var isClosing: Bool { lock.withLock { phase == .closing || phase == .closed } }

    /// Whether to read on from the socket; if not, `receive` starts reading again.
    func wantsMore() -> Bool {
        lock.withLock {
            lastProgress = .now()
            isReadingPaused = phase == .open && inboxBytes >= Self.windowBytes
            return !isReadingPaused
        }
    }

    /// The peer sends nothing more; what arrived can still be received. Where `isWhole` its end says that it takes
    /// nothing more either.
    func end(isWhole: Bool) {
        lock.lock()
        if ending == nil { ending = .clean }
        let channel = channel
        let isFinished = isWhole || phase == .closing
        if isFinished && phase != .closed { phase = .closing }
        let waiting = takeWaiters()
        lock.unlock()
        if isFinished { channel?.close(promise: nil) }
        waiting.forEach { $0.resume() }
    }

    /// The exchange is over for a reason. What arrived before can still be received. `isChannelKept`: the caller closes
    /// the channel.
    func fail(_ error: ExchangeError, isChannelKept: Bool = false) {
        lock.lock()
        if phase == .opening { openingError = error }
        if ending == nil { ending = .failure(error) }
        let isNews = phase != .closed
        phase = .closed
        timer?.cancel()
        timer = nil
        let channel = channel
        self.channel = nil
        outgoing.clear()
        let waiting = takeWaiters()
        lock.unlock()
        if isNews && !isChannelKept { channel?.close(promise: nil) }
        waiting.forEach { $0.resume() }
    }

    /// Writes what has gathered; `then` runs when the kernel has it, or cannot have it.
    private func flush(then: @escaping @Sendable () -> Void = {}) {
        lock.lock()
        isFlushPlanned = false
        let bytes = outgoing
        outgoing = ByteBuffer()
        let channel = channel
        lock.unlock()
        guard let channel else { return }
        guard bytes.readableBytes > 0 else { return then() }
        channel.writeAndFlush(bytes).whenComplete { [self] _ in
            lock.lock()
            unsentBytes -= bytes.readableBytes
            lastProgress = .now()
            let waiting = unsentBytes < Self.windowBytes ? sender : nil
            if waiting != nil { sender = nil }
            lock.unlock()
            waiting?.resume()
            then()
        }
    }

    /// Called with the lock held.
    private func planIdleCheck(in time: Duration) {
        timer = channel?.eventLoop.scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) { self.checkIdle() }
    }

    private func checkIdle() {
        lock.lock()
        guard phase == .open else { return lock.unlock() }
        let silent = Duration.nanoseconds((NIODeadline.now() - lastProgress).nanoseconds)
        let isIdle = silent >= timeouts.idle
        if !isIdle { planIdleCheck(in: timeouts.idle - silent) }
        lock.unlock()
        if isIdle { fail(.closed) }
    }
}
