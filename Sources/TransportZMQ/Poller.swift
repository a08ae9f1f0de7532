internal import CSockets
internal import Glibc
import Transport

/// Waits for descriptors and sockets, and calls who is concerned. Confined to the owner thread.
///
/// The descriptor of a libzmq socket tells of commands, not of messages, and any call may take a command in. So a socket
/// that was used is looked at again before the thread sleeps, which `ZMQSocket` itself asks for.
final class Poller {
    /// One thing that is waited for.
    final class Source {
        fileprivate let descriptor: CInt
        fileprivate let handle: () -> Void
        fileprivate var isReady = false
        fileprivate var isRemoved = false
        fileprivate let tag: UInt64

        fileprivate init(descriptor: CInt, tag: UInt64, handle: @escaping () -> Void) {
            self.descriptor = descriptor
            self.tag = tag
            self.handle = handle
        }
    }

    private static let batch = 64

    private let descriptor: CInt
    private var sources: [UInt64: Source] = [:]
    private var ready: [Source] = []
    private var lastTag: UInt64 = 0
    private var found = [cs_ready](repeating: cs_ready(), count: batch)

    /// Throws `failed` when the system is out of descriptors.
    init() throws(TransportError) {
        descriptor = cs_poller()
        guard descriptor >= 0 else { throw Self.failure("epoll_create", descriptor) }
    }

    deinit { close(descriptor) }

    /// Calls `handle` when the descriptor has something, once for all that it has; the first time at once.
    func add(
        _ waited: CInt, wantsWrite: Bool = false, handle: @escaping () -> Void
    ) throws(TransportError) -> Source {
        lastTag += 1
        let source = Source(descriptor: waited, tag: lastTag, handle: handle)
        let code = cs_poller_add(descriptor, waited, source.tag, wantsWrite ? 1 : 0)
        guard code == 0 else { throw Self.failure("epoll_ctl", code) }
        sources[source.tag] = source
        touch(source)
        return source
    }

    /// The same for a libzmq socket, also after each call that may have taken something in.
    func add(_ socket: ZMQSocket, handle: @escaping () -> Void) throws(TransportError) -> Source {
        let source = try add(socket.descriptor, handle: handle)
        socket.onUse = { [unowned self, unowned source] in touch(source) }
        return source
    }

    /// Its descriptor must still be open.
    func remove(_ source: Source) {
        guard sources.removeValue(forKey: source.tag) != nil else { return }
        source.isRemoved = true
        cs_poller_remove(descriptor, source.descriptor)
    }

    /// Has the source looked at before the thread sleeps again.
    private func touch(_ source: Source) {
        guard !source.isReady, !source.isRemoved else { return }
        source.isReady = true
        ready.append(source)
    }

    /// How many things are waited for.
    var count: Int { sources.count }

    /// Waits until there is something, or for `timeout` (`nil`: for ever); then calls who is concerned, each once.
    func turn(timeout: Duration?) throws(TransportError) {
        let nanoseconds = ready.isEmpty ? timeout.map { max(0, $0.wholeNanoseconds) } ?? -1 : 0
        let count = cs_poller_wait(descriptor, &found, CInt(Self.batch), nanoseconds)
        guard count >= 0 else { throw Self.failure("epoll_wait", count) }
        for index in 0..<Int(count) {
            if let source = sources[found[index].tag] { touch(source) }
        }
        let batch = ready
        ready = []
        for source in batch {
            source.isReady = false
            if !source.isRemoved { source.handle() }
        }
    }

    private static func failure(_ call: String, _ code: CInt) -> TransportError {
        .failed(reason: "\(call): \(String(cString: strerror(-code)))")
    }
}
