internal import CSockets
internal import Foundation
internal import Glibc
import Transport

/// The side of the owner thread that other tasks see: what they want done, and the means to wake the thread.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class ZMQPort: @unchecked Sendable {
    struct Addresses: Sendable {
        var router: PeerAddress
        var publisher: PeerAddress
    }

    /// An exchange that is wanted.
    struct Opening: Sendable {
        var stream: ExchangeStream
        var peer: PeerAddress
    }

    /// What the thread takes in one go. Peers come first: who is to be reached is known before what is sent.
    struct Orders: Sendable {
        var peers: [Peer]?
        var commands: [CommandQueue.Batch]
        var openings: [Opening]
        /// Exchanges with something to send or to tell.
        var changed: [ExchangeStream]
        /// Exchanges of peers whose handles are gone.
        var dropped: [ExchangeStream]
        /// Once nothing is left of what was wanted before.
        var counting: [CheckedContinuation<ZMQCounts, Never>]
        var isStopping: Bool

        /// Whether commands are left for the next time.
        var hasMore: Bool { commands.contains { $0.hasMore } }
    }

    /// Messages of one channel that the thread takes in one go, in bytes, so that what arrives and the other channel have
    /// their turn between.
    private static let maxTakenBytes = 512 * 1024

    private enum Stage { case new, bound, running, over }

    let configuration: ZMQTransportConfiguration
    let events = EventSink()
    let arrivals: [BatchQueue<Arrival>]
    let accepted: [BatchQueue<any Exchange>]

    private let outbox: [CommandQueue]
    let wakeDescriptor: CInt
    private let lock = NSLock()
    private var stage = Stage.new
    private var peers: [Peer]?
    private var openings: [Opening] = []
    private var changed: [ExchangeStream] = []
    private var dropped: [ExchangeStream] = []
    private var counting: [CheckedContinuation<ZMQCounts, Never>] = []
    private var dialled = 0
    /// What the thread has told of itself.
    private var published = [TransportStats.OfChannel](repeating: .init(), count: Channel.allCases.count)
    private var acceptedExchanges = 0
    private var isWakePending = false
    private var isStopping = false
    private var thread = pthread_t()
    private var outcome: Result<Void, TransportError>?
    private var waiter: CheckedContinuation<Void, Never>?

    init(_ configuration: ZMQTransportConfiguration) {
        self.configuration = configuration
        arrivals = [configuration.maxMembershipArrivalBytes, configuration.maxReplicationArrivalBytes].map {
            BatchQueue<Arrival>(maxBytes: $0, maxCount: 1 << 20) { $0.message.count + 64 }
        }
        // Open exchanges are bounded; some more may be over already and wait to be noticed.
        accepted = Channel.allCases.map { _ in BatchQueue<any Exchange>(maxCount: 8 * configuration.maxExchanges) }
        outbox = Channel.allCases.map { _ in CommandQueue(maxBytes: configuration.maxWaitingBytes) }
        wakeDescriptor = cs_event()
    }

    deinit { if wakeDescriptor >= 0 { Glibc.close(wakeDescriptor) } }

    // MARK: What others want

    func enqueue(_ command: CommandQueue.Command, on channel: Channel) {
        if outbox[Int(channel.rawValue)].append(command) { wake() }
    }

    func drop(_ cause: DropCause) {
        events.dropped(cause)
        wake()
    }

    func setPeers(_ list: [Peer]) {
        lock.withLock { peers = list }
        wake()
    }

    /// See `Transport.exchange`.
    func exchange(on channel: Channel, with peer: PeerAddress) async throws(ExchangeError) -> any Exchange {
        try admit()
        let stream = ExchangeStream(channel: channel, isOpen: false) { [weak self] stream in self?.note(stream) }
        let exchange = ZMQExchange(peer: peer, stream: stream) { [weak self] in self?.releaseDial() }
        let isTooLate = lock.withLock {
            if stage == .over { return true }
            openings.append(Opening(stream: stream, peer: peer))
            return false
        }
        if isTooLate { throw .closed }
        wake()
        try await stream.waitUntilOpen()
        return exchange
    }

    func note(_ stream: ExchangeStream) {
        lock.withLock { if stage != .over { changed.append(stream) } }
        wake()
    }

    func noteDropped(_ stream: ExchangeStream) {
        lock.withLock { if stage != .over { dropped.append(stream) } }
        wake()
    }

    /// What was moved and what waits, here and with the thread.
    var stats: TransportStats {
        var stats = TransportStats()
        let published = lock.withLock {
            stats.openExchanges = dialled + acceptedExchanges
            return self.published
        }
        (stats.drops, stats.refusals) = events.totals
        for channel in Channel.allCases {
            let index = Int(channel.rawValue)
            var ofChannel = published[index]
            let wanted = outbox[index].waiting
            ofChannel.sendQueue.messages += wanted.messages
            ofChannel.sendQueue.bytes += wanted.bytes
            let arrived = arrivals[index].waiting
            ofChannel.receiveQueue = .init(messages: arrived.count, bytes: arrived.bytes)
            stats[channel] = ofChannel
        }
        return stats
    }

    /// Called by the thread when it has moved something.
    func publish(_ stats: TransportStats.OfChannel, on channel: Channel) {
        lock.withLock { published[Int(channel.rawValue)] = stats }
    }

    /// Called by the thread when exchanges of peers have come or gone.
    func publish(acceptedExchanges count: Int) { lock.withLock { acceptedExchanges = count } }

    func counts() async -> ZMQCounts {
        await withCheckedContinuation { continuation in
            let isOver = lock.withLock {
                if stage != .over { counting.append(continuation) }
                return stage == .over
            }
            if isOver {
                continuation.resume(
                    returning: ZMQCounts(sources: 0, links: 0, acceptedLinks: 0, exchanges: 0, subscriptions: 0))
            }
            wake()
        }
    }

    private func admit() throws(ExchangeError) {
        lock.lock()
        defer { lock.unlock() }
        guard stage != .over else { throw .closed }
        guard dialled < configuration.maxExchanges else { throw .busy }
        dialled += 1
    }

    private func releaseDial() { lock.withLock { dialled -= 1 } }

    private func wake() {
        lock.withLock {
            if isWakePending || stage == .over { return }
            isWakePending = true
            var one: UInt64 = 1
            // Can only fail when the counter is full, and then the thread is awake anyway.
            _ = Glibc.write(wakeDescriptor, &one, 8)
        }
    }

    /// Called by the thread, once per wake, and again while there is more.
    func takeOrders() -> Orders {
        // The flag goes down before the queues are read: whatever is added later wakes again.
        takeWake()
        let isLast = isStopRequested
        let commands = outbox.map { $0.take(limit: isLast ? .max : Self.maxTakenBytes) }
        let hasMore = commands.contains { $0.hasMore }
        return lock.withLock {
            defer {
                (peers, openings, changed, dropped) = (nil, [], [], [])
                if !hasMore { counting = [] }
            }
            return Orders(
                peers: peers, commands: commands, openings: openings, changed: changed, dropped: dropped,
                counting: hasMore ? [] : counting, isStopping: isLast)
        }
    }

    // MARK: Start and stop

    /// Starts the thread and waits until it has bound, which takes no network.
    func start() throws(TransportError) -> Addresses {
        guard wakeDescriptor >= 0 else {
            throw .failed(reason: "eventfd: \(String(cString: strerror(-wakeDescriptor)))")
        }
        let binding = Binding()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
                start.port.runThread(start.binding)
                return nil
            }, Unmanaged.passRetained(ThreadStart(port: self, binding: binding)).toOpaque())
        guard code == 0 else { throw .failed(reason: "pthread_create: \(String(cString: strerror(code)))") }
        let result = binding.wait()
        if case .failure = result { pthread_join(thread, nil) }
        let addresses = try result.get()
        lock.withLock { stage = .bound }
        return addresses
    }

    /// Runs until the calling task is cancelled or the thread fails. Returns when the thread is gone.
    func run() async throws(TransportError) {
        let mayStart = lock.withLock {
            guard stage == .bound else { return false }
            stage = .running
            return true
        }
        guard mayStart else { throw .failed(reason: "run was called twice") }
        wake()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = lock.withLock {
                    if outcome == nil { waiter = continuation }
                    return outcome != nil
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            stop()
        }
        // The thread has nothing left to do but return; joining frees its stack.
        pthread_join(thread, nil)
        for queue in outbox { events.dropped(.sendQueueFull, count: queue.take(limit: .max).lost) }
        events.report(isLast: true)
        for queue in arrivals { queue.finish() }
        for queue in accepted { queue.finish() }
        events.queue.finish()
        try lock.withLock { outcome ?? .success(()) }.get()
    }

    /// The transport is gone: where it never ran, the thread is told to go too.
    func abandon() {
        let neverRan = lock.withLock { stage == .bound }
        guard neverRan else { return }
        stop()
        pthread_detach(thread)
    }

    private func stop() {
        lock.withLock { isStopping = true }
        wake()
    }

    /// Whether the thread may move messages.
    var mayRun: Bool { lock.withLock { stage == .running } }

    var isStopRequested: Bool { lock.withLock { isStopping } }

    /// Notes a wake before there is anything to take.
    func takeWake() {
        lock.withLock {
            var count: UInt64 = 0
            _ = Glibc.read(wakeDescriptor, &count, 8)
            isWakePending = false
        }
    }

    private func runThread(_ binding: Binding) {
        let loop: ZMQLoop
        do throws(TransportError) {
            loop = try ZMQLoop(port: self)
        } catch {
            return binding.set(.failure(error))
        }
        binding.set(.success(loop.addresses))
        let result = loop.run()
        for queue in outbox { queue.finish() }
        let (waiting, left) = lock.withLock {
            stage = .over
            outcome = result
            acceptedExchanges = 0
            defer { (waiter, openings, changed, dropped, counting) = (nil, [], [], [], []) }
            return (waiter, (openings.map(\.stream), counting))
        }
        for stream in left.0 { stream.fail(.closed) }
        for continuation in left.1 {
            continuation.resume(
                returning: ZMQCounts(sources: 0, links: 0, acceptedLinks: 0, exchanges: 0, subscriptions: 0))
        }
        waiting?.resume()
    }
}

private final class ThreadStart: Sendable {
    let port: ZMQPort
    let binding: Binding

    init(port: ZMQPort, binding: Binding) {
        self.port = port
        self.binding = binding
    }
}

/// Where the thread says what came of binding.
///
/// `@unchecked Sendable`: `result` is written before the semaphore is signalled and read after.
private final class Binding: @unchecked Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private var result: Result<ZMQPort.Addresses, TransportError> = .failure(.failed(reason: "no answer"))

    func set(_ result: Result<ZMQPort.Addresses, TransportError>) {
        self.result = result
        semaphore.signal()
    }

    func wait() -> Result<ZMQPort.Addresses, TransportError> {
        semaphore.wait()
        return result
    }
}
