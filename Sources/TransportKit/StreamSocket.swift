internal import CSockets
internal import Glibc
public import Transport

/// A non-blocking TCP socket: a listener or a connection. Closed with its last reference, or before by `close`.
///
/// `@unchecked Sendable`: confined to the owner thread once that runs.
public final class StreamSocket: @unchecked Sendable {
    /// Receive buffer of accepted connections: what the kernel holds beyond the bounds of a plugin.
    public static let receiveBufferBytes = 512 * 1024

    /// For a `Poller`; -1 after `close`.
    public private(set) var descriptor: CInt

    private init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { close() }

    /// May be called more than once. A `Poller` that waits for the socket must have been told before.
    public func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    // MARK: Listening

    /// Binds and listens; port 0 takes a free one. Throws `addressInUse` or `cannotBind`.
    public static func listen(
        on address: PeerAddress
    ) throws(TransportError) -> (socket: StreamSocket, bound: PeerAddress) {
        let host = address.hostBytes
        var port: UInt16 = 0
        let descriptor = cs_listen_stream(host, UInt8(host.count), address.port, CInt(receiveBufferBytes), &port)
        guard descriptor >= 0 else {
            throw descriptor == -EADDRINUSE
                ? .addressInUse(address) : .cannotBind(address, reason: SystemCall.text(-descriptor))
        }
        return (StreamSocket(descriptor), address.with(port: port))
    }

    /// What a listener has.
    public enum Accepted {
        /// One that waited, and where it comes from.
        case connection(StreamSocket, PeerAddress)
        /// One that waited has gone already.
        case gone
        /// Nothing waits.
        case none
        /// One waits, which the process has no descriptor or memory for: until it has, the listener stays ready.
        case outOfDescriptors
    }

    /// Takes the next connection that waits at a listener.
    public func accept() -> Accepted {
        let accepted = cs_accept_stream(descriptor)
        guard accepted >= 0 else {
            switch -accepted {
            case EAGAIN: return .none
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .outOfDescriptors
            default: return .gone
            }
        }
        let socket = StreamSocket(accepted)
        return socket.peerAddress.map { .connection(socket, $0) } ?? .gone
    }

    /// Where a connection leads to; `nil` when it is gone.
    public var peerAddress: PeerAddress? { address(cs_peer_address) }

    private var ownAddress: PeerAddress? { address(cs_own_address) }

    private func address(
        _ read: (CInt, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt16>) -> CInt
    ) -> PeerAddress? {
        var host = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        let length = read(descriptor, &host, &port)
        return length > 0 ? PeerAddress(hostBytes: host[..<Int(length)], port: port) : nil
    }

    // MARK: Connecting

    /// Begins to connect. `from`: the address to connect from, its port left to the system; a node that is bound to one
    /// address connects from there, since others know it by that. Throws why it failed at once.
    public static func connect(
        to address: PeerAddress, from: PeerAddress? = nil
    ) throws(ExchangeError) -> StreamSocket {
        let host = address.hostBytes
        let usable = from.flatMap { $0.isUnspecified || $0.hostBytes.count != host.count ? nil : $0 }
        let source = usable?.hostBytes ?? []
        let descriptor = cs_connect_stream(host, UInt8(host.count), address.port, source, UInt8(source.count))
        guard descriptor >= 0 else { throw dialError(-descriptor) }
        cs_set_no_delay(descriptor)
        return StreamSocket(descriptor)
    }

    /// Why a connection could not be made, once the socket is writable; `nil` when it stands. A socket that TCP has
    /// connected to itself (a port of this host can be the port dialled from) counts as refused.
    public func connectError() -> ExchangeError? {
        let code = cs_take_error(descriptor)
        guard code == 0 else { return Self.dialError(code) }
        guard let peer = peerAddress else { return .noAnswer }
        return peer == ownAddress ? .refused : nil
    }

    /// The errors of dialling are exact, since they decide how seeds are treated: only where the host itself says that
    /// nothing listens it is `refused`. A host or network that cannot be reached does not answer.
    private static func dialError(_ code: CInt) -> ExchangeError {
        switch code {
        case ECONNREFUSED: .refused
        case EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM: .busy
        default: .noAnswer
        }
    }

    // MARK: Bytes

    /// What came of reading or writing.
    public enum Transfer: Hashable, Sendable {
        /// So many bytes, at least one.
        case moved(Int)
        /// Nothing is there, or there is no room, now.
        case wouldBlock
        /// The other side has ended its direction. Reading only.
        case ended
        /// The connection is gone without an end: it was reset, or timed out.
        case broken
    }

    /// Appends what is there to `buffer`, at most `limit` bytes.
    public func read(into buffer: inout [UInt8], limit: Int = 64 * 1024) -> Transfer {
        var (count, code): (Int, CInt) = (0, 0)
        // Not into `buffer`: its room would have to be zeroed first, which takes longer than most reads.
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { room, initialized in
            repeat {
                count = recv(descriptor, room.baseAddress, limit, 0)
                code = errno
            } while count < 0 && code == EINTR
            initialized = max(0, count)
        }
        if buffer.isEmpty { buffer = bytes } else { buffer += bytes }
        if count > 0 { return .moved(count) }
        if count == 0 { return .ended }
        return code == EAGAIN ? .wouldBlock : .broken
    }

    /// Hands bytes to the system, which may take only the first of them.
    public func write(_ bytes: ArraySlice<UInt8>) -> Transfer {
        guard !bytes.isEmpty else { return .moved(0) }
        let count = bytes.withUnsafeBytes { bytes in
            while true {
                let count = send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
                if count >= 0 || errno != EINTR { return count }
            }
        }
        if count >= 0 { return .moved(count) }
        return errno == EAGAIN ? .wouldBlock : .broken
    }

    /// Breaks the connection once the peer's system has acknowledged nothing of what was sent for `limit`; else a connection to a
    /// host that was cut off stands still for up to two minutes after the host is back, since TCP tries ever less often. Not for
    /// a connection whose peer may let the sender wait: a window that stays shut for so long breaks it too.
    public func limitUnacknowledged(to limit: Duration) {
        cs_limit_unacknowledged(descriptor, UInt32(clamping: limit.wholeNanoseconds / 1_000_000))
    }

    /// Ends the own direction; what was written before still goes out. Closing a connection with unread bytes instead
    /// would reset it, and might cost the peer what was sent last: so end, read and drop what still comes, then close.
    public func endWriting() { _ = shutdown(descriptor, CInt(SHUT_WR)) }
}
