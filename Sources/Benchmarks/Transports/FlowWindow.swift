internal import class Foundation.NSLock

/// How many messages are on the way between one sender and its receivers, and when more may be handed over.
///
/// `@unchecked Sendable`: the state is touched under `lock` only.
final class FlowWindow: @unchecked Sendable {
    /// Without any arrival for this long, what is on the way is taken for lost.
    static let patience: Duration = .milliseconds(100)
    private static let openBatch = 1_024

    private let size: Int?
    private let lock = NSLock()
    private var counts: [Int]
    private var handed = 0
    private var forgiven = 0
    private var lastProgress = ContinuousClock.now
    private var sender: CheckedContinuation<Int, Never>?

    /// `size` messages may be on the way; `nil`: any number.
    init(size: Int?, receivers: Int) {
        self.size = size
        counts = [Int](repeating: 0, count: receivers)
    }

    /// A receiver has `count` messages by now.
    func note(receiver: Int, count: Int) {
        lock.lock()
        counts[receiver] = count
        lastProgress = .now
        let ready = takeSender()
        lock.unlock()
        ready?.sender.resume(returning: ready?.room ?? 0)
    }

    /// Waits for room for a quarter of the window, and gives how many messages may be handed over now.
    func room() async -> Int {
        guard size != nil else { return Self.openBatch }
        return await withCheckedContinuation { continuation in
            lock.lock()
            sender = continuation
            let ready = takeSender()
            lock.unlock()
            ready?.sender.resume(returning: ready?.room ?? 0)
        }
    }

    func noteHanded(_ count: Int) { lock.withLock { handed += count } }

    /// To be called again and again: lets the sender go on when nothing comes any more.
    func forgiveLosses() {
        lock.lock()
        var ready: (sender: CheckedContinuation<Int, Never>, room: Int)?
        if sender != nil, .now - lastProgress > Self.patience {
            forgiven += onTheWay
            ready = takeSender()
        }
        lock.unlock()
        ready?.sender.resume(returning: ready?.room ?? 0)
    }

    /// Whether all has arrived everywhere.
    var isComplete: Bool { lock.withLock { counts.allSatisfy { $0 >= handed } } }

    /// Time since the last arrival.
    var silence: Duration { lock.withLock { .now - lastProgress } }

    /// Called with the lock held.
    private var onTheWay: Int { max(0, handed - forgiven - (counts.min() ?? 0)) }

    /// Called with the lock held.
    private func takeSender() -> (sender: CheckedContinuation<Int, Never>, room: Int)? {
        guard let size, let waiting = sender else { return nil }
        let room = size - onTheWay
        guard room >= max(1, size / 4) else { return nil }
        sender = nil
        return (waiting, room)
    }
}
