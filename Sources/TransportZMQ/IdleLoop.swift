internal import class Foundation.NSLock

/// The loop from `bind` to `run`. Whoever takes it runs it; one that nobody takes is closed.
///
/// `@unchecked Sendable`: `loop` is touched under `lock` only, and given out once. libzmq lets a socket go from thread to
/// thread where a barrier lies between, which the lock and the start of a thread are.
final class IdleLoop: @unchecked Sendable {
    private let lock = NSLock()
    private var loop: ZMQLoop?

    init(_ loop: ZMQLoop) { self.loop = loop }

    deinit { loop?.close() }

    /// `nil` when it was taken before.
    func take() -> ZMQLoop? {
        lock.withLock {
            defer { loop = nil }
            return loop
        }
    }
}
