internal import class Foundation.NSLock
import Transport

/// One exchange, between the task that uses it and the owner thread that moves its frames.
///
/// Bounded both ways: sending waits while `windowBytes` have not gone out, and the other side sends no more than
/// `windowBytes` beyond what was read here. A frame counts as many bytes as it carries and `frameCost`, so that many
/// small ones are bounded too.
///
/// `@unchecked Sendable`: all state is touched under `lock` only. `wake` is called without it.
final class ExchangeStream: @unchecked Sendable {
    /// What a side may have on its way unread; a message larger than that goes on as its beginning is taken in.
    static let windowBytes = 256 * 1024
    /// What each data frame counts besides its bytes.
    static let frameCost = LinkMessage.frameCost
    /// Largest message.
    static let maxMessageBytes = 1024 * 1024
    /// Largest part of a message in one frame, so that a probe waits for no more than this.
    static let maxFragmentBytes = 32 * 1024

    enum Phase: Equatable { case opening, open, closing, over }
    enum Ending: Equatable { case clean, failure(ExchangeError) }

    struct Fragment {
        var bytes: [UInt8]
        var endsMessage: Bool
        var cost: Int { bytes.count + ExchangeStream.frameCost }
    }

    let channel: Channel
    /// Tells the owner thread that something is to be done for this exchange.
    private let wake: @Sendable (ExchangeStream) -> Void
    private let lock = NSLock()
    private var phase: Phase
    private var ending: Ending?
    private var opener: CheckedContinuation<Void, Never>?

    private var inbox = FIFO<(message: [UInt8], cost: Int)>()
    /// The beginning of a message, and what it has cost and was not given back yet.
    private var partial: [UInt8] = []
    private var partialCost = 0
    /// Costs of what was read, not yet given back.
    private var readCost = 0
    /// Costs of what arrived and was not given back yet.
    private var heldCost = 0
    private var receiver: CheckedContinuation<Void, Never>?

    private var outbox = FIFO<[UInt8]>()
    private var outboxBytes = 0
    /// Bytes of the first message of `outbox` that have gone out.
    private var sentOfFirst = 0
    private var credit = ExchangeStream.windowBytes
    private var sender: CheckedContinuation<Void, Never>?

    private var lastProgress = ContinuousClock.now
    private var closedAt: ContinuousClock.Instant?

    /// `isOpen`: the peer opened it and waits for nothing.
    init(channel: Channel, isOpen: Bool, wake: @escaping @Sendable (ExchangeStream) -> Void) {
        self.channel = channel
        self.wake = wake
        phase = isOpen ? .open : .opening
    }
}

// MARK: For the task that uses the exchange

extension ExchangeStream {
    /// Waits until the peer has accepted.
    func waitUntilOpen() async throws(ExchangeError) {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let mustWait = phase == .opening
                if mustWait { opener = continuation }
                lock.unlock()
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            fail(.closed)
            wake(self)
        }
        if case .failure(let error)? = lock.withLock({ ending }) { throw error }
    }

    /// See `Exchange.send`. When the calling task is cancelled while it waits, the message is not sent.
    func send(_ message: [UInt8]) async throws(ExchangeError) {
        guard message.count <= Self.maxMessageBytes else { throw .tooLarge }
        while true {
            if try append(message) { return wake(self) }
            if Task.isCancelled { throw .closed }
            await wait(on: \.sender) { $0.phase == .open && $0.ending == nil && $0.outboxBytes >= Self.windowBytes }
        }
    }

    /// See `Exchange.receive`. Throws `closed` when the calling task is cancelled; no message is lost by that.
    func receive() async throws(ExchangeError) -> [UInt8]? {
        while true {
            let (taken, mustWake) = take()
            if mustWake { wake(self) }
            switch taken {
            case .message(let message): return message
            case .ended(.clean): return nil
            case .ended(.failure(let error)): throw error
            case nil: break
            }
            if Task.isCancelled { throw .closed }
            await wait(on: \.receiver) { $0.inbox.isEmpty && $0.ending == nil && $0.phase == .open }
        }
    }

    /// Lets what was sent go out, then ends. Never waits.
    func close() {
        lock.lock()
        guard phase == .open else {
            let isOpening = phase == .opening
            lock.unlock()
            if isOpening {
                fail(.closed)
                wake(self)
            }
            return
        }
        // Where the peer has ended already there is nothing left to say.
        phase = ending == nil ? .closing : .over
        if ending != .failure(.closed) { ending = .failure(.closed) }
        closedAt = .now
        inbox = FIFO()
        partial = []
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
        wake(self)
    }

    private enum Taken { case message([UInt8]), ended(Ending) }

    private func take() -> (Taken?, mustWake: Bool) {
        lock.withLock {
            if let (message, cost) = inbox.popFirst() {
                readCost += cost
                lastProgress = .now
                releasePartial()
                // Credit is worth a message; or this was the last, and the place is free.
                return (.message(message), readCost >= Self.windowBytes / 4 || ending != nil && inbox.isEmpty)
            }
            if let ending { return (.ended(ending), false) }
            return (phase == .open ? nil : .ended(.failure(.closed)), false)
        }
    }

    /// `false` when there is no room now.
    private func append(_ message: [UInt8]) throws(ExchangeError) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard phase == .open, ending == nil else {
            if case .failure(let error) = ending { throw error }
            throw .closed
        }
        guard outboxBytes < Self.windowBytes else { return false }
        outbox.append(message)
        outboxBytes += message.count + Self.frameCost
        return true
    }

    private func wait(
        on waiter: ReferenceWritableKeyPath<ExchangeStream, CheckedContinuation<Void, Never>?>,
        while isNeeded: (ExchangeStream) -> Bool
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
        let waitingOpener = phase == .opening ? nil : opener
        if phase != .opening { opener = nil }
        defer { (receiver, sender) = (nil, nil) }
        return [waitingOpener, receiver, sender].compactMap { $0 }
    }

    /// While nothing else waits to be read, the beginning of a message counts as read: else a message larger than the
    /// window would never be whole. Called with the lock held.
    private func releasePartial() {
        guard inbox.isEmpty else { return }
        readCost += partialCost
        partialCost = 0
    }
}

// MARK: For the owner thread

extension ExchangeStream {
    /// Messages have arrived that nobody has read.
    var hasUnread: Bool { lock.withLock { !inbox.isEmpty } }

    /// Still wanted by the task that asked for it.
    var isOpening: Bool { lock.withLock { phase == .opening } }

    /// The peer has accepted; `false` when nobody waits for that any more.
    func opened() -> Bool {
        lock.lock()
        let isWanted = phase == .opening
        if isWanted { phase = .open }
        lastProgress = .now
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
        return isWanted
    }

    /// The exchange is over for a reason. What arrived before can still be received.
    func fail(_ error: ExchangeError) {
        lock.lock()
        if ending == nil { ending = .failure(error) }
        phase = .over
        outbox = FIFO()
        outboxBytes = 0
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
    }

    /// The peer sends nothing more and reads nothing more; what arrived can still be received.
    func ended() {
        lock.lock()
        if ending == nil { ending = partial.isEmpty ? .clean : .failure(.closed) }
        if phase != .open { phase = .over }
        outbox = FIFO()
        outboxBytes = 0
        let waiting = takeWaiters()
        lock.unlock()
        waiting.forEach { $0.resume() }
    }

    /// Part of a message has arrived. `false` when the peer has not kept to its credit or to the size of messages.
    func deliver(_ bytes: [UInt8], endsMessage: Bool) -> Bool {
        lock.lock()
        lastProgress = .now
        guard phase == .open, ending == nil else {
            lock.unlock()
            return true
        }
        let cost = bytes.count + Self.frameCost
        guard heldCost + cost <= Self.windowBytes + Self.frameCost,
            partial.count + bytes.count <= Self.maxMessageBytes
        else {
            lock.unlock()
            return false
        }
        heldCost += cost
        partialCost += cost
        var waiting: CheckedContinuation<Void, Never>?
        if endsMessage {
            inbox.append((partial.isEmpty ? bytes : partial + bytes, partialCost))
            partial = []
            partialCost = 0
            swap(&waiting, &receiver)
        } else {
            partial += bytes
        }
        releasePartial()
        lock.unlock()
        waiting?.resume()
        return true
    }

    /// What was read since the last call, once it is worth a message.
    func takeCredit() -> Int? {
        lock.withLock {
            guard phase == .open, ending == nil, readCost >= Self.windowBytes / 4 else { return nil }
            defer { readCost = 0 }
            heldCost -= readCost
            return readCost
        }
    }

    /// The peer has read so much. `false` when that is more than was sent.
    func grant(_ bytes: Int) -> Bool {
        lock.withLock {
            lastProgress = .now
            credit += bytes
            return credit <= Self.windowBytes
        }
    }

    /// The next part to send, of at most `limit` in cost; `nil` when there is none or no credit.
    func takeFragment(limit: Int) -> Fragment? {
        lock.lock()
        guard phase == .open || phase == .closing, let first = outbox.first else {
            lock.unlock()
            return nil
        }
        let rest = first.count - sentOfFirst
        let room = min(limit, credit) - Self.frameCost
        // Crumbs are not worth a frame: a quarter of the window is given back at once.
        guard room >= min(rest, 4_096) else {
            lock.unlock()
            return nil
        }
        let count = min(rest, room, Self.maxFragmentBytes)
        let endsMessage = count == rest
        let bytes = sentOfFirst == 0 && endsMessage ? first : Array(first[sentOfFirst..<(sentOfFirst + count)])
        credit -= count + Self.frameCost
        lastProgress = .now
        var waiting: CheckedContinuation<Void, Never>?
        if endsMessage {
            _ = outbox.popFirst()
            outboxBytes -= first.count + Self.frameCost
            sentOfFirst = 0
            if outboxBytes < Self.windowBytes { swap(&waiting, &sender) }
        } else {
            sentOfFirst += count
        }
        lock.unlock()
        waiting?.resume()
        return Fragment(bytes: bytes, endsMessage: endsMessage)
    }

    /// What is left to do on this side.
    enum State: Equatable {
        case live
        /// Closed by its user, and everything has gone out: the peer is to be told.
        case isFlushed
        case isOver
    }

    var state: State {
        lock.withLock {
            switch phase {
            case .opening, .open: .live
            case .closing: outbox.isEmpty ? .isFlushed : .live
            case .over: .isOver
            }
        }
    }

    /// How long what may take.
    struct Limits {
        /// Until the peer has accepted.
        var answer: Duration
        /// Without anything that moves.
        var idle: Duration
        /// From `close` until everything has gone out.
        var linger: Duration
    }

    /// Why it is to end, where it has taken too long.
    func stuck(at now: ContinuousClock.Instant, _ limits: Limits) -> ExchangeError? {
        lock.withLock {
            if phase == .opening { return now - lastProgress >= limits.answer ? .noAnswer : nil }
            if let closedAt { return now - closedAt >= limits.linger ? .closed : nil }
            return now - lastProgress >= limits.idle ? .closed : nil
        }
    }
}

/// The handle of an exchange. When the last reference to it goes, the exchange is closed.
final class ZMQExchange: Exchange {
    let peer: PeerAddress
    private let stream: ExchangeStream
    private let onEnd: (@Sendable () -> Void)?

    /// `onEnd` runs when the handle goes.
    init(peer: PeerAddress, stream: ExchangeStream, onEnd: (@Sendable () -> Void)? = nil) {
        self.peer = peer
        self.stream = stream
        self.onEnd = onEnd
    }

    deinit {
        stream.close()
        onEnd?()
    }

    func send(_ message: [UInt8]) async throws(ExchangeError) { try await stream.send(message) }
    func receive() async throws(ExchangeError) -> [UInt8]? { try await stream.receive() }
    func close() { stream.close() }
}
