internal import class Foundation.NSLock
internal import Glibc
import Transport
import TransportKit

/// The side of the datagram thread that other threads see: what they want sent, and the means to wake the thread.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only; the descriptor is closed once, when the
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
    private let inlets: Inlets
    private let outbox: PerChannel<BatchQueue<Command>>
    private let descriptor: CInt
    private let wakeup: Wakeup
    private let lock = NSLock()
    private var peers: [Peer]?
    private var published = PerChannel(repeating: TransportStats.OfChannel())
    private var isStopping = false
    private var hasStarted = false
    private var isClosed = false

    /// Takes over `descriptor`. `configuration` is valid.
    init(
        descriptor: CInt, bound: PeerAddress, configuration: UDPTransportConfiguration, inlets: Inlets
    ) throws(TransportError) {
        do throws(TransportError) {
            wakeup = try Wakeup()
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.bound = bound
        self.configuration = configuration
        self.inlets = inlets
        outbox = PerChannel { channel in
            BatchQueue(maxBytes: configuration.gossip.maxBytes(for: channel), maxCount: 1 << 20, size: \.bytes)
        }
    }

    deinit { closeDescriptor() }

    /// Hands a command to the thread; never waits. Beyond the bound of the channel the oldest command goes.
    func enqueue(_ command: Command, on channel: Channel) {
        let lost = outbox[channel].append(CollectionOfOne(command)).count
        if lost > 0 { inlets.events.dropped(.sendQueueFull, count: lost) }
        wakeup.signal()
    }

    func setPeers(_ list: [Peer]) {
        lock.withLock { peers = list }
        wakeup.signal()
    }

    /// Runs the thread until the calling task is cancelled or the socket fails. Returns when the thread is gone.
    func run() async throws(TransportError) {
        let mayStart = lock.withLock {
            defer { hasStarted = true }
            return !hasStarted
        }
        guard mayStart else { throw .failed(reason: "run was called twice") }
        defer {
            for queue in outbox.all { queue.finish() }
            closeDescriptor()
        }
        let result = await withTaskCancellationHandler {
            await runThread()
        } onCancel: {
            stop()
        }
        try result.get()
    }

    /// Lets the thread send what is there, then end.
    private func stop() {
        lock.withLock { isStopping = true }
        wakeup.signal()
    }

    private func closeDescriptor() {
        wakeup.close()
        lock.withLock {
            if isClosed { return }
            isClosed = true
            Glibc.close(descriptor)
        }
    }

    /// What was moved and what waits to be sent, here and with the thread.
    var stats: TransportStats {
        let published = lock.withLock { self.published }
        var stats = TransportStats()
        for channel in Channel.allCases {
            var ofChannel = published[channel]
            let (messages, bytes) = outbox[channel].waiting
            ofChannel.sendQueue.messages += messages
            ofChannel.sendQueue.bytes += bytes
            stats[channel] = ofChannel
        }
        return stats
    }

    /// Called by the thread when it has moved something.
    func publish(_ stats: TransportStats.OfChannel, on channel: Channel) {
        lock.withLock { published[channel] = stats }
    }

    /// Called by the thread, once per wake.
    func takeOrders() -> Orders {
        // Before the queues are read: whatever is added later wakes again.
        wakeup.take()
        var commands: [Command] = []
        for queue in outbox.all { commands += queue.takeNow() }
        return lock.withLock {
            defer { peers = nil }
            return Orders(commands: commands, peers: peers, isStopping: isStopping)
        }
    }

    private func runThread() async -> Result<Void, TransportError> {
        do throws(TransportError) {
            return try await OwnerThread.run { [self] in
                let loop = DatagramLoop(
                    descriptor: descriptor, wakeDescriptor: wakeup.descriptor, isV6: bound.hostBytes.count == 16,
                    port: self, configuration: configuration, inlets: inlets)
                return loop.run()
            }
        } catch {
            return .failure(error)
        }
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
