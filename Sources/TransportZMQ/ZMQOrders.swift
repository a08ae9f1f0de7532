internal import class Foundation.NSLock
import Transport
import TransportKit

/// What other tasks want of the owner thread, until it takes it, and the means to wake it.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class ZMQOrders: ExchangePipeOwner, @unchecked Sendable {
    /// An exchange that is wanted.
    struct Opening: Sendable {
        var pipe: ExchangePipe
        var channel: Channel
        var peer: PeerAddress
    }

    /// What is wanted besides messages.
    fileprivate struct Wishes: Sendable {
        var peers: [Peer]?
        var openings: [Opening] = []
        /// Exchanges with something to send or to tell.
        var changed: [ExchangePipe] = []
        /// Exchanges of peers whose handles are gone.
        var dropped: [ExchangePipe] = []
    }

    /// What the thread takes in one go. Peers come first: who is to be reached is known before what is sent.
    struct Batch: Sendable {
        fileprivate var wishes: Wishes
        var commands: PerChannel<CommandQueue.Batch>
        var isStopping: Bool

        var peers: [Peer]? { wishes.peers }
        var openings: [Opening] { wishes.openings }
        var changed: [ExchangePipe] { wishes.changed }
        var dropped: [ExchangePipe] { wishes.dropped }
        /// Whether commands are left for the next time.
        var hasMore: Bool { commands.membership.hasMore || commands.replication.hasMore }
    }

    /// Messages of one channel that the thread takes in one go, in bytes, so that what arrives and the other channel have
    /// their turn between.
    private static let maxTakenBytes = 512 * 1024

    private let wakeup: Wakeup
    private let outbox: PerChannel<CommandQueue>
    private let lock = NSLock()
    private var wishes = Wishes()
    private var isStopping = false
    private var isFinished = false

    /// Throws `failed` when the system is out of descriptors.
    init(maxWaitingBytes: Int) throws(TransportError) {
        wakeup = try Wakeup()
        outbox = PerChannel { _ in CommandQueue(maxBytes: maxWaitingBytes) }
    }

    // MARK: For other tasks

    func enqueue(_ command: CommandQueue.Command, on channel: Channel) {
        if outbox[channel].append(command) { wakeup.signal() }
    }

    func setPeers(_ list: [Peer]) { add { $0.peers = list } }

    /// `false` when the thread is gone.
    func open(_ pipe: ExchangePipe, on channel: Channel, with peer: PeerAddress) -> Bool {
        add { $0.openings.append(Opening(pipe: pipe, channel: channel, peer: peer)) }
    }

    /// See `ExchangePipeOwner`.
    func hear(_ signal: ExchangePipe.Signal, from pipe: ExchangePipe) { add { $0.changed.append(pipe) } }

    /// The handle of an exchange that a peer opened is gone.
    func noteDropped(_ pipe: ExchangePipe) { add { $0.dropped.append(pipe) } }

    /// Something is to be reported.
    func wake() { wakeup.signal() }

    /// Lets the thread end.
    func stop() {
        lock.withLock { isStopping = true }
        wakeup.signal()
    }

    /// Messages of a channel that wait, 64 bytes added for each.
    func waiting(on channel: Channel) -> TransportStats.Traffic { outbox[channel].waiting }

    @discardableResult
    private func add(_ change: (inout Wishes) -> Void) -> Bool {
        let isWanted = lock.withLock {
            if !isFinished { change(&wishes) }
            return !isFinished
        }
        if isWanted { wakeup.signal() }
        return isWanted
    }

    // MARK: For the thread

    /// Readable when there is something to take.
    var wakeDescriptor: CInt { wakeup.descriptor }

    /// Once per wake, and again while there is more.
    func take() -> Batch {
        // Before the queues are read: whatever is added later wakes again.
        wakeup.take()
        let isLast = lock.withLock { isStopping }
        let commands = outbox.map { $0.take(limit: isLast ? .max : Self.maxTakenBytes) }
        return lock.withLock {
            defer { wishes = Wishes() }
            return Batch(wishes: wishes, commands: commands, isStopping: isLast)
        }
    }

    /// The thread is gone: nothing is taken any more. Returns how many messages nobody took.
    func finish() -> Int {
        let left = lock.withLock {
            isFinished = true
            defer { wishes = Wishes() }
            return wishes.openings
        }
        for opening in left { opening.pipe.fail(.closed) }
        let waiting = outbox.all.reduce(0) { $0 + $1.finish() }
        wakeup.close()
        return waiting
    }
}
