internal import CSockets
internal import class Foundation.NSLock
internal import Glibc
public import Transport

/// Wakes a thread that waits for descriptors: an eventfd, which becomes readable.
///
/// Signals that the thread has not seen yet are one. The thread calls `take` before it reads what others have left for
/// it, so that whatever is left later wakes it again.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only; the descriptor is closed once.
public final class Wakeup: @unchecked Sendable {
    /// What the thread waits for until it is readable.
    public let descriptor: CInt
    private let lock = NSLock()
    private var isPending = false
    private var isClosed = false

    /// Throws `failed` when the system is out of descriptors.
    public init() throws(TransportError) {
        descriptor = cs_event()
        guard descriptor >= 0 else { throw SystemCall.failure("eventfd", -descriptor) }
    }

    deinit { close() }

    /// From any thread; never waits. Does nothing after `close`.
    public func signal() {
        lock.lock()
        defer { lock.unlock() }
        if isPending || isClosed { return }
        isPending = true
        var one: UInt64 = 1
        // Can only fail when the counter is full, and then the thread is awake anyway.
        _ = Glibc.write(descriptor, &one, 8)
    }

    /// By the thread that was woken.
    public func take() {
        lock.lock()
        defer { lock.unlock() }
        guard isPending, !isClosed else { return }
        isPending = false
        var count: UInt64 = 0
        _ = Glibc.read(descriptor, &count, 8)
    }

    /// Gives the descriptor back; nothing must wait for it any more. May be called more than once.
    public func close() {
        lock.lock()
        defer { lock.unlock() }
        if isClosed { return }
        isClosed = true
        Glibc.close(descriptor)
    }
}

/// Errors of system calls as errors of a transport.
enum SystemCall {
    static func text(_ code: CInt) -> String { String(cString: strerror(code)) }

    static func failure(_ call: String, _ code: CInt) -> TransportError { .failed(reason: "\(call): \(text(code))") }
}
