internal import CLibZMQ
internal import Glibc
import Transport

/// One libzmq context: its I/O thread and all sockets made in it.
///
/// Confined to the owner thread. `end` must be called once all sockets are closed; it waits for what still lingers.
final class ZMQContext {
    fileprivate let handle: UnsafeMutableRawPointer

    /// Throws `failed`.
    init(maxSockets: CInt) throws(TransportError) {
        guard let handle = zmq_ctx_new() else { throw .failed(reason: "zmq_ctx_new: \(ZMQSocket.lastError)") }
        self.handle = handle
        zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, maxSockets)
        // IPC and other kinds of socket are not used; one thread moves more than the disk behind it takes.
        zmq_ctx_set(handle, ZMQ_IO_THREADS, 1)
    }

    /// Waits until every socket is gone and the I/O thread has ended.
    func end() {
        while zmq_ctx_term(handle) != 0 && errno == EINTR {}
    }
}

/// One libzmq socket, confined to the owner thread. Whoever makes it closes it.
///
/// `descriptor` tells level-triggered that there are commands for the socket. Any call takes them in, and then only
/// `events` tells what came of it: so each use is told to the poller, which asks again before the thread sleeps.
final class ZMQSocket {
    /// What became of a frame.
    enum Outcome { case sent, full, unroutable, failed }

    let descriptor: CInt
    /// Something may have been taken in.
    var onUse: () -> Void = {}
    private var handle: UnsafeMutableRawPointer?

    /// Throws `failed` when libzmq or the system is out of sockets.
    init(_ kind: SocketKind, in context: ZMQContext) throws(TransportError) {
        guard let handle = zmq_socket(context.handle, kind.type) else {
            throw .failed(reason: "zmq_socket: \(Self.lastError)")
        }
        var descriptor: CInt = -1
        var size = MemoryLayout<CInt>.size
        guard zmq_getsockopt(handle, ZMQ_FD, &descriptor, &size) == 0 else {
            defer { zmq_close(handle) }
            throw .failed(reason: "zmq_getsockopt ZMQ_FD: \(Self.lastError)")
        }
        self.handle = handle
        self.descriptor = descriptor
        do throws(TransportError) {
            for option in kind.options { try set(option) }
        } catch {
            close()
            throw error
        }
    }

    deinit { precondition(handle == nil, "a socket was dropped without being closed") }

    static var lastError: String { String(cString: zmq_strerror(zmq_errno())) }

    /// May be called more than once. The context waits for what lingers.
    func close() {
        guard let handle else { return }
        zmq_close(handle)
        self.handle = nil
        onUse = {}
    }

    /// Throws `failed`: all options are ours, so that a refusal is a mistake here.
    func set(_ option: SocketKind.Option) throws(TransportError) {
        guard option.isWide else { return try set(option.name, option.value) }
        var value = Int64(option.value)
        try check(option.name, zmq_setsockopt(handle, option.name, &value, MemoryLayout<Int64>.size))
    }

    /// The same for one of 32 bits.
    func set(_ name: CInt, _ value: CInt) throws(TransportError) {
        var value = value
        try check(name, zmq_setsockopt(handle, name, &value, MemoryLayout<CInt>.size))
    }

    /// The same for bytes.
    func set(_ name: CInt, _ bytes: [UInt8]) throws(TransportError) {
        try check(name, zmq_setsockopt(handle, name, bytes, bytes.count))
    }

    private func check(_ name: CInt, _ code: CInt) throws(TransportError) {
        guard code == 0 else { throw .failed(reason: "zmq_setsockopt \(name): \(Self.lastError)") }
    }

    /// Binds and gives the address that came of it. Throws `addressInUse` or `cannotBind`.
    func bind(_ address: PeerAddress) throws(TransportError) -> PeerAddress {
        guard zmq_bind(handle, "tcp://\(address)") == 0 else {
            guard zmq_errno() != EADDRINUSE else { throw .addressInUse(address) }
            throw .cannotBind(address, reason: Self.lastError)
        }
        var text = [CChar](repeating: 0, count: 256)
        var size = text.count
        let prefix = "tcp://".utf8.count
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &size) == 0, size > prefix,
            let bound = PeerAddress(
                String(decoding: text[prefix..<(size - 1)].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        else { throw .cannotBind(address, reason: "libzmq does not say where it is bound") }
        return bound
    }

    /// Binds within the process. Throws `failed`.
    func bind(inProcess name: String) throws(TransportError) {
        guard zmq_bind(handle, "inproc://\(name)") == 0 else {
            throw .failed(reason: "zmq_bind inproc://\(name): \(Self.lastError)")
        }
    }

    /// Begins to connect. `false` when libzmq takes the endpoint for none, such as one without a route to bind to.
    func connect(_ endpoint: String) -> Bool {
        onUse()
        return zmq_connect(handle, endpoint) == 0
    }

    /// Reports `events` of this socket under `name`; a PAIR connects to "inproc://" and that.
    func monitor(_ events: CInt, as name: String) throws(TransportError) {
        guard zmq_socket_monitor(handle, "inproc://\(name)", events) == 0 else {
            throw .failed(reason: "zmq_socket_monitor: \(Self.lastError)")
        }
    }

    /// Ends the reports. Must come before the PAIR that hears them is closed: the I/O thread waits for a PAIR that is gone.
    func endMonitor() {
        if let handle { zmq_socket_monitor(handle, nil, 0) }
    }

    /// Takes in what the I/O thread has to say; then whether something can be received, and whether something can be
    /// sent.
    var events: (isReadable: Bool, isWritable: Bool) {
        var events: CInt = 0
        var size = MemoryLayout<CInt>.size
        guard zmq_getsockopt(handle, ZMQ_EVENTS, &events, &size) == 0 else { return (false, false) }
        let isReadable = events & CInt(ZMQ_POLLIN) != 0
        if isReadable { onUse() }
        return (isReadable, events & CInt(ZMQ_POLLOUT) != 0)
    }

    /// Hands over one frame; never waits. `hasMore`: the message goes on with the next call.
    func send(_ frame: [UInt8], hasMore: Bool = false) -> Outcome {
        onUse()
        let flags = CInt(ZMQ_DONTWAIT) | (hasMore ? CInt(ZMQ_SNDMORE) : 0)
        while true {
            if zmq_send(handle, frame, frame.count, flags) >= 0 { return .sent }
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .full
            case EHOSTUNREACH: return .unroutable
            default: return .failed
            }
        }
    }

    /// Takes one frame, if there is one, and gives it to `body`.
    func receive<Result>(_ body: (borrowing ZMQFrame) -> Result) -> Result? {
        var message = zmq_msg_t()
        zmq_msg_init(&message)
        defer { zmq_msg_close(&message) }
        while true {
            if zmq_msg_recv(&message, handle, CInt(ZMQ_DONTWAIT)) >= 0 { break }
            guard zmq_errno() == EINTR else { return nil }
        }
        return withUnsafeMutablePointer(to: &message) { body(ZMQFrame(message: $0)) }
    }

    /// All frames of the next message, at most `limit`; those beyond are dropped.
    func receiveMessage(limit: Int = 16) -> [[UInt8]]? {
        var frames: [[UInt8]] = []
        while true {
            guard
                let hasMore = receive({ frame in
                    if frames.count < limit { frames.append(Array(frame.bytes)) }
                    return frame.hasMore
                })
            else { return frames.isEmpty ? nil : frames }
            if !hasMore { return frames }
        }
    }
}

/// A received frame, while it is looked at.
struct ZMQFrame: ~Copyable {
    private let message: UnsafeMutablePointer<zmq_msg_t>

    fileprivate init(message: UnsafeMutablePointer<zmq_msg_t>) { self.message = message }

    /// Must not be kept.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    }

    /// Whether the message goes on with the next frame.
    var hasMore: Bool { zmq_msg_more(message) != 0 }

    /// The descriptor of the connection that the frame came over, which may be gone.
    var descriptor: CInt { zmq_msg_get(message, ZMQ_SRCFD) }

    /// The IP address that the frame's TCP connection came from.
    var peerHost: PeerAddress.Host? {
        guard let text = zmq_msg_gets(message, "Peer-Address") else { return nil }
        let host = String(cString: text)
        return PeerAddress(host.contains(":") ? "[\(host)]:0" : "\(host):0")?.host
    }
}
