internal import CSockets
internal import Glibc
public import Transport

/// Waits for descriptors (epoll, level-triggered), for a `Wakeup` and for a deadline. Confined to the owner thread.
public final class Poller {
    /// What one descriptor has to say.
    public struct Ready: Hashable, Sendable {
        /// What it was added with.
        public var tag: UInt64
        /// Bytes, a connection or an end can be read.
        public var isReadable: Bool
        /// There is room to write, or a connection attempt is decided.
        public var isWritable: Bool
        /// The connection is broken, or refused; reading says how.
        public var hasError: Bool
    }

    /// Most that one `wait` gives. With as many there may be more: ask again before judging deadlines.
    public static let batch = 64

    private let descriptor: CInt
    private var found = [cs_ready](repeating: cs_ready(), count: batch)

    /// Throws `failed` when the system is out of descriptors.
    public init() throws(TransportError) {
        descriptor = cs_poller()
        guard descriptor >= 0 else { throw SystemCall.failure("epoll_create", -descriptor) }
    }

    deinit { close(descriptor) }

    /// Waits for `waited` to be readable, and writable too where `wantsWrite`. A socket that can be written to is ready all
    /// the time: ask for it only while something is unsent. Throws `failed` when the system has no memory for it.
    public func add(_ waited: CInt, tag: UInt64, wantsWrite: Bool = false) throws(TransportError) {
        let code = cs_poller_add(descriptor, waited, tag, wantsWrite ? 1 : 0)
        guard code == 0 else { throw SystemCall.failure("epoll_ctl", -code) }
    }

    /// Changes what is waited for. `wantsRead` false: the peer has to wait, or has ended; only writing and errors count.
    public func change(_ waited: CInt, tag: UInt64, wantsRead: Bool = true, wantsWrite: Bool) {
        _ = cs_poller_change(descriptor, waited, tag, wantsRead ? 1 : 0, wantsWrite ? 1 : 0)
    }

    /// The descriptor must still be open.
    public func remove(_ waited: CInt) { cs_poller_remove(descriptor, waited) }

    /// Waits until something is ready or `deadline` has passed (`nil`: for ever). Throws `failed` where waiting itself
    /// fails, which nothing but a fault of the owner explains.
    public func wait(until deadline: ContinuousClock.Instant?) throws(TransportError) -> [Ready] {
        let nanoseconds = deadline.map { max(0, ($0 - .now).wholeNanoseconds) } ?? -1
        let count = cs_poller_wait(descriptor, &found, CInt(Self.batch), nanoseconds)
        guard count >= 0 else { throw SystemCall.failure("epoll_wait", -count) }
        return found[..<Int(count)].map {
            Ready(
                tag: $0.tag, isReadable: $0.bits & 1 != 0, isWritable: $0.bits & 2 != 0, hasError: $0.bits & 4 != 0)
        }
    }
}
