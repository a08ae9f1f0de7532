internal import class Foundation.NSLock
public import Transport

/// Who moves the bytes of exchanges: a thread, an event loop.
public protocol ExchangePipeOwner: AnyObject, Sendable {
    /// Something is to be done for `pipe`. Called from any thread, without the pipe's lock; may come late, or once for
    /// several: the owner looks what there is to do.
    func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe)
}

/// One end of an exchange: between the task that uses it and the owner (a thread, an event loop) that moves its bytes.
///
///     opening ── open() ──> open ── close() ──> closing ── finished() ──> over
///        └─────── fail(), close(), cancellation ──┴── fail(), end() ───────┘
///
/// The pipe knows how to wait, to be cancelled, to meet a deadline and to end; the owner knows the wire. Bounded both ways:
/// `send` waits while `windowBytes` are not sent, and the owner lets the peer send no more while `hasRoom` is false. Each
/// message counts `messageCost` besides its bytes, so that many small ones are bounded too. One message may go over.
///
/// Every continuation is resumed exactly once, after the lock is released; the owner is told without the lock. The pipe
/// does not keep its owner.
///
/// `@unchecked Sendable`: all mutable state is touched under `lock` only.
public final class ExchangePipe: @unchecked Sendable {
    /// What the owner is told.
    public enum Signal: Hashable, Sendable {
        /// There is something in `takeOutgoing`. Told once until all was taken.
        case outgoing
        /// A quarter of the window was read since the last `takeRead`: call it, and let the peer send more.
        case read
        /// The user has closed it, or given up waiting for it to open: see `phase`.
        case closed
    }

    /// How far it is.
    public enum Phase: Hashable, Sendable {
        /// Until the peer has accepted.
        case opening
        case open
        /// Closed by the user: what `takeOutgoing` gives is to be sent, then the end, then `finished` be called.
        case closing
        /// Nothing is sent any more. What arrived before may still be received.
        case over
    }

    /// Messages on their way to the wire.
    public struct Outgoing: Sendable {
        /// As `prepare` has made them, in order.
        public var frames: [[UInt8]]
        /// What `didSend` is to be told once they are sent.
        public var cost: Int
    }

    /// What each message counts besides its bytes.
    public static let messageCost = 32

    private enum Ending { case clean, failure(ExchangeError) }

    /// Bytes each way beyond which the sender, or the peer, has to wait.
    public let windowBytes: Int
    /// Largest message.
    public let maxMessageBytes: Int

    private let lock = NSLock()
    private weak var owner: (any ExchangePipeOwner)?
    private var currentPhase: Phase
    private var prepare: (@Sendable ([UInt8]) -> [UInt8])?
    private var ending: Ending?
    private var isClosedByUser = false
    private var inbox = Inbox()
    private var outbox = Outbox()
    private var waiters = Waiters()
    private var progress = ContinuousClock.now

    /// `isOpen`: nothing has to be waited for. `owner` may be set later by `attach`.
    public init(
        windowBytes: Int = 256 * 1024, maxMessageBytes: Int, isOpen: Bool = false,
        owner: (any ExchangePipeOwner)? = nil
    ) {
        precondition(windowBytes > 0, "a window of \(windowBytes) bytes")
        self.windowBytes = windowBytes
        self.maxMessageBytes = maxMessageBytes
        self.owner = owner
        currentPhase = isOpen ? .open : .opening
    }

    deinit { waiters.takeAll().resume() }
}

// MARK: For the task that uses the exchange

extension ExchangePipe {
    /// Waits until `open`. Throws what `fail` was told; `closed` when the calling task is cancelled, which gives the
    /// exchange up.
    public func waitUntilOpen() async throws(ExchangeError) {
        await withTaskCancellationHandler {
            await wait(as: .opener) { $0.currentPhase == .opening }
        } onCancel: {
            close()
        }
        let error: ExchangeError? = locked { pipe in
            if case .failure(let error) = pipe.ending, pipe.currentPhase == .over || pipe.isClosedByUser {
                return error
            }
            return pipe.currentPhase == .opening ? .closed : nil
        }
        if let error { throw error }
    }

    /// See `Exchange.send`. When the calling task is cancelled while it waits, the message is not sent.
    public func send(_ message: [UInt8]) async throws(ExchangeError) {
        guard message.count <= maxMessageBytes else { throw .tooLarge }
        while true {
            switch try append(message) {
            case .added(let isNews): return isNews ? signal(.outgoing) : ()
            case .full: break
            }
            if Task.isCancelled { throw .closed }
            await wait(as: .sender) { $0.currentPhase == .open && $0.outbox.isFull(windowBytes: $0.windowBytes) }
        }
    }

    /// See `Exchange.receive(until:)`. When the calling task is cancelled no message is lost.
    public func receive(until deadline: ContinuousClock.Instant? = nil) async throws(ExchangeError) -> [UInt8]? {
        while true {
            switch take() {
            case .message(let message, let isWorthTelling):
                if isWorthTelling { signal(.read) }
                return message
            case .ended(.clean): return nil
            case .ended(.failure(let error)): throw error
            case .nothing: break
            }
            if Task.isCancelled { throw .closed }
            if let deadline, deadline <= .now {
                // A message that has come meanwhile is taken in the next round.
                guard close(where: { $0.inbox.isEmpty && $0.ending == nil }) else { continue }
                throw .noAnswer
            }
            await wait(as: .receiver, until: deadline) {
                $0.inbox.isEmpty && $0.ending == nil && !$0.isClosedByUser
            }
        }
    }

    /// See `Exchange.close`. What has arrived and was not received is gone.
    public func close() { _ = close { _ in true } }

    private enum Appended { case added(isNews: Bool), full }

    private func append(_ message: [UInt8]) throws(ExchangeError) -> Appended {
        lock.lock()
        defer { lock.unlock() }
        guard currentPhase == .open else {
            if case .failure(let error) = ending, !isClosedByUser { throw error }
            throw .closed
        }
        guard !outbox.isFull(windowBytes: windowBytes) else { return .full }
        return .added(isNews: outbox.append(prepare?(message) ?? message))
    }

    private enum Taken { case message([UInt8], isWorthTelling: Bool), ended(Ending), nothing }

    private func take() -> Taken {
        locked { pipe in
            if pipe.isClosedByUser { return .ended(.failure(.closed)) }
            guard let (message, isWorthTelling) = pipe.inbox.popFirst(windowBytes: pipe.windowBytes) else {
                return pipe.ending.map { .ended($0) } ?? .nothing
            }
            pipe.progress = .now
            return .message(message, isWorthTelling: isWorthTelling)
        }
    }

    /// `false` where `isDue` is, and then nothing has happened.
    private func close(where isDue: (ExchangePipe) -> Bool) -> Bool {
        lock.lock()
        guard isDue(self) else {
            lock.unlock()
            return false
        }
        let isNews = !isClosedByUser && currentPhase != .over
        isClosedByUser = true
        if ending == nil { ending = .failure(.closed) }
        switch currentPhase {
        case .opening: currentPhase = .over
        case .open: currentPhase = .closing
        case .closing, .over: break
        }
        // Freed after unlocking.
        let (unread, waiting) = (inbox.removeAll(), waiters.takeAll())
        lock.unlock()
        _ = unread
        waiting.resume()
        if isNews { signal(.closed) }
        return true
    }
}

// MARK: For the owner

extension ExchangePipe {
    /// How far it is.
    public var phase: Phase { locked { $0.currentPhase } }

    /// From now on `owner` is told. It looks by itself what was to be done before.
    public func attach(to owner: any ExchangePipeOwner) { locked { $0.owner = owner } }

    private func signal(_ signal: Signal) { locked { $0.owner }?.hear(signal, from: self) }

    /// The peer has accepted. From now on `prepare` makes of each message what goes out; it is called in the order of the
    /// messages, under the lock, and must not block. `false` when nobody waits for that any more.
    public func open(prepare: (@Sendable ([UInt8]) -> [UInt8])? = nil) -> Bool {
        lock.lock()
        guard currentPhase == .opening else {
            lock.unlock()
            return false
        }
        currentPhase = .open
        self.prepare = prepare
        progress = .now
        let waiting = waiters.takeAll()
        lock.unlock()
        waiting.resume()
        return true
    }

    /// Messages have arrived, in order. What comes after the user has closed is dropped.
    public func deliver(_ messages: [[UInt8]]) {
        deliver { inbox in
            for message in messages { inbox.append(message, cost: message.count + Self.messageCost) }
        }
    }

    /// A message has arrived whose cost the owner counts: for a wire with credit.
    public func deliver(_ message: [UInt8], cost: Int) {
        deliver { $0.append(message, cost: cost) }
    }

    private func deliver(_ add: (inout Inbox) -> Void) {
        lock.lock()
        progress = .now
        guard currentPhase == .open || currentPhase == .opening, ending == nil else { return lock.unlock() }
        add(&inbox)
        let receiver = waiters.take(.receiver)
        lock.unlock()
        receiver?.resume()
    }

    /// The peer has ended its direction as the wire says that it should: nothing is missing. `isWhole`: it takes nothing
    /// more either, so that what is unsent is dropped.
    public func end(isWhole: Bool = true) {
        conclude(.clean, isOver: isWhole)
    }

    /// The exchange is over for a reason, such as a connection that ended where no end belongs (`closed`). What arrived
    /// before can still be received.
    public func fail(_ error: ExchangeError) { conclude(.failure(error), isOver: true) }

    /// After `closing`: everything was sent, or nobody takes it.
    public func finished() { conclude(.failure(.closed), isOver: true) }

    private func conclude(_ newEnding: Ending, isOver: Bool) {
        lock.lock()
        if ending == nil { ending = newEnding }
        if isOver {
            currentPhase = .over
            prepare = nil
        }
        // Freed after unlocking.
        let unsent = isOver ? outbox.removeAll() : nil
        let waiting = waiters.takeAll()
        lock.unlock()
        _ = unsent
        waiting.resume()
    }

    /// Takes what is to be sent, at least one message and then no more than `maxBytes`; `nil` when there is nothing.
    public func takeOutgoing(maxBytes: Int = .max) -> Outgoing? {
        locked { $0.outbox.take(maxBytes: maxBytes) }
    }

    /// The system, or the peer, has taken something: `cost` of what `takeOutgoing` gave. A waiting sender goes on.
    public func didSend(cost: Int) {
        lock.lock()
        progress = .now
        outbox.didSend(cost: cost)
        let sender = outbox.isFull(windowBytes: windowBytes) ? nil : waiters.take(.sender)
        lock.unlock()
        sender?.resume()
    }

    /// Whether the peer may send more. Where it is false `read` is signalled before it is true again for long: look again
    /// then.
    public var hasRoom: Bool {
        locked { pipe in
            pipe.currentPhase != .open || pipe.inbox.unreadCost < pipe.windowBytes
        }
    }

    /// The cost of what was read since the last call, if it is that much: what a wire with credit gives back.
    public func takeRead(atLeast least: Int = 0) -> Int {
        locked { $0.inbox.takeRead(atLeast: least) }
    }

    /// Whether everything that has arrived was received. Where it was not, `read` is signalled once it was.
    public func tellOnceRead() -> Bool {
        locked { $0.inbox.tellOnceRead() }
    }

    /// Whether `takeOutgoing` would give something. Once the phase is `closing` nothing more comes to it.
    public var hasOutgoing: Bool { locked { !$0.outbox.isEmpty } }

    /// Messages have arrived that nobody has received yet.
    public var hasUnread: Bool { locked { !$0.inbox.isEmpty } }

    /// Whether the peer has ended its direction as it should.
    public var hasPeerEnded: Bool {
        locked { pipe in
            if case .clean = pipe.ending { true } else { false }
        }
    }

    /// When something last moved, in either direction: an owner ends what stands still for long, whether or not something
    /// waits to be sent.
    public var lastProgress: ContinuousClock.Instant { locked { $0.progress } }

    /// Something moved that makes no message yet.
    public func noteProgress() { locked { $0.progress = .now } }

    private func locked<Value>(_ body: (ExchangePipe) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(self)
    }
}

// MARK: Waiting

extension ExchangePipe {
    /// Suspends the calling task while `isNeeded`, until it is resumed, cancelled, or (a receiver) past `deadline`. It looks
    /// again in any case.
    private func wait(
        as waiter: Waiter,
        until deadline: ContinuousClock.Instant? = nil, while isNeeded: (ExchangePipe) -> Bool
    ) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let mustWait = isNeeded(self) && !Task.isCancelled
                if mustWait { waiters.add(continuation, as: waiter, until: deadline, ring: timer) }
                lock.unlock()
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            lock.lock()
            let waiting = waiters.take(waiter)
            lock.unlock()
            waiting?.resume()
        }
    }

    private func timer(_ deadline: ContinuousClock.Instant) -> Task<Void, Never> {
        Task { [weak self] in
            guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
            self?.ring(deadline)
        }
    }

    private func ring(_ instant: ContinuousClock.Instant) {
        lock.lock()
        let late = waiters.takeLate(instant, ring: timer)
        lock.unlock()
        late?.resume()
    }
}
