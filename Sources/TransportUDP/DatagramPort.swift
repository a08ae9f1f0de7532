internal import CSockets
internal import Foundation
internal import Glibc
import Transport

/// The side of the datagram thread that other threads see: what they want sent, and the means to wake the thread.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only; the descriptors are closed once, when the
/// thread is gone, or with this object where it never started.
final class DatagramPort: @unchecked Sendable {
    enum Command: Sendable {
        case send([UInt8], Channel, PeerAddress)
        case broadcast([UInt8], Channel, BroadcastOptions)
    }

    /// What the thread takes in one go. Peers come last: they are at least as new as the commands.
    struct Orders: Sendable {
        var commands: [Command]
        var peers: [Peer]?
        var isStopping: Bool
    }

    private let configuration: UDPTransportConfiguration
    private let bound: PeerAddress
    private let events: EventSink
    private let arrivals: [BatchQueue<Arrival>]
    private let outbox: [BatchQueue<Command>]
    private let descriptor: CInt
    private let wakeDescriptor: CInt
    private let lock = NSLock()
    private var peers: [Peer]?
    private var published = [TransportStats.OfChannel](repeating: .init(), count: Channel.allCases.count)
    private var isWakePending = false
    private var isStopping = false
    private var hasStarted = false
    private var isClosed = false

    /// Takes over `descriptor`. `configuration` is valid.
    init(
        descriptor: CInt, bound: PeerAddress, configuration: UDPTransportConfiguration,
        arrivals: [BatchQueue<Arrival>], events: EventSink
    ) throws(TransportError) {
        self.descriptor = descriptor
        self.bound = bound
        self.configuration = configuration
        self.arrivals = arrivals
        self.events = events
        wakeDescriptor = cs_event()
        outbox = Channel.allCases.map { channel in
            BatchQueue(maxBytes: configuration.gossip.maxBytes(for: channel), maxCount: 1 << 20, size: \.bytes)
        }
        guard wakeDescriptor >= 0 else {
            throw .failed(reason: "eventfd: \(String(cString: strerror(-wakeDescriptor)))")
        }
    }

    deinit { closeDescriptors() }

    /// Hands a command to the thread; never waits. Beyond the bound of the channel the oldest command goes.
    func enqueue(_ command: Command, on channel: Channel) {
        let lost = outbox[Int(channel.rawValue)].append(CollectionOfOne(command))
        if lost > 0 { events.dropped(.sendQueueFull, count: lost) }
        wake()
    }

    func setPeers(_ list: [Peer]) {
        lock.withLock { peers = list }
        wake()
    }

    /// Runs the thread until the calling task is cancelled or the socket fails. Returns when the thread is gone.
    func run() async throws(TransportError) {
        let mayStart = lock.withLock {
            defer { hasStarted = true }
            return !hasStarted
        }
        guard mayStart else { throw .failed(reason: "run was called twice") }
        let result = await withTaskCancellationHandler {
            await runThread()
        } onCancel: {
            stop()
        }
        for queue in outbox { queue.finish() }
        closeDescriptors()
        try result.get()
    }

    /// Lets the thread send what is there, then end.
    private func stop() {
        lock.withLock { isStopping = true }
        wake()
    }

    private func wake() {
        lock.withLock {
            if isWakePending || isClosed { return }
            isWakePending = true
            var one: UInt64 = 1
            // Can only fail when the counter is full, and then the thread is awake anyway.
            _ = Glibc.write(wakeDescriptor, &one, 8)
        }
    }

    private func closeDescriptors() {
        lock.withLock {
            if isClosed { return }
            isClosed = true
            Glibc.close(descriptor)
            if wakeDescriptor >= 0 { Glibc.close(wakeDescriptor) }
        }
    }

    /// What was moved and what waits, here and with the thread.
    var stats: TransportStats {
        let published = lock.withLock { self.published }
        var stats = TransportStats()
        for channel in Channel.allCases {
            let index = Int(channel.rawValue)
            var ofChannel = published[index]
            let (messages, bytes) = outbox[index].waiting
            ofChannel.sendQueue.messages += messages
            ofChannel.sendQueue.bytes += bytes
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

    /// Called by the thread, once per wake.
    func takeOrders() -> Orders {
        // The flag goes down before the queues are read: whatever is added later wakes again.
        lock.withLock { isWakePending = false }
        var commands: [Command] = []
        for queue in outbox { commands += queue.takeNow() }
        return lock.withLock {
            defer { peers = nil }
            return Orders(commands: commands, peers: peers, isStopping: isStopping)
        }
    }

    private func runThread() async -> Result<Void, TransportError> {
        let start = ThreadStart { [self] in
            let loop = DatagramLoop(
                descriptor: descriptor, wakeDescriptor: wakeDescriptor, isV6: bound.hostBytes.count == 16,
                port: self, configuration: configuration, arrivals: arrivals, events: events)
            return loop.run()
        }
        let (result, thread) = await start.run()
        // The thread has nothing left to do but return; joining frees its stack.
        pthread_join(thread, nil)
        return result
    }
}

extension DatagramPort.Command {
    /// What a command counts in the outbox.
    fileprivate var bytes: Int {
        switch self {
        case .send(let message, _, _): message.count + 64
        case .broadcast(let message, _, _): message.count + 64
        }
    }
}

/// One thread that runs `body` and resumes its starter with the result.
///
/// `@unchecked Sendable`: `continuation` is set before the thread starts and used by the thread only.
private final class ThreadStart: @unchecked Sendable {
    typealias Outcome = Result<Void, TransportError>

    private let body: @Sendable () -> Outcome
    private var continuation: CheckedContinuation<(Outcome, pthread_t), Never>?

    init(_ body: @escaping @Sendable () -> Outcome) { self.body = body }

    func run() async -> (Outcome, pthread_t) {
        await withCheckedContinuation { continuation in
            self.continuation = continuation
            var thread = pthread_t()
            let code = pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
                    let outcome = start.body()
                    start.continuation?.resume(returning: (outcome, pthread_self()))
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
            // Out of threads: nothing runs in this process any more, and nothing useful could be done about it here.
            precondition(code == 0, "pthread_create failed with \(code)")
        }
    }
}
