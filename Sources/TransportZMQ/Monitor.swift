internal import CLibZMQ
import Transport

/// What libzmq says of a socket's connections (zmq_socket_monitor).
enum ConnectionEvent: Equatable {
    case connected
    case accepted(descriptor: CInt)
    /// The handshake is over: keys and kinds of socket fit.
    case established
    /// A connection was to be made and could not be.
    case connectFailed
    case handshakeFailed(Failure)
    case disconnected(descriptor: CInt)

    enum Failure: Equatable {
        /// One side has a key, the other has none.
        case mechanism
        /// What the peer sent cannot be opened with our key.
        case key
        /// ZAP said no, with this status.
        case denied(status: UInt32)
        /// The peer broke the protocol.
        case malformed
        /// The connection ended in the middle of it, or time ran out.
        case ended
    }

    static let interesting: CInt =
        ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED
        | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH

    /// The first frame: u16 event, u32 value, both in this machine's order.
    init?(_ frame: [UInt8]) {
        guard frame.count >= 6 else { return nil }
        let (event, value) = frame.withUnsafeBytes {
            ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
        }
        switch CInt(event) {
        case ZMQ_EVENT_CONNECTED: self = .connected
        case ZMQ_EVENT_ACCEPTED: self = .accepted(descriptor: CInt(bitPattern: value))
        case ZMQ_EVENT_CLOSED: self = .connectFailed
        case ZMQ_EVENT_DISCONNECTED: self = .disconnected(descriptor: CInt(bitPattern: value))
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: self = .established
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: self = .handshakeFailed(.ended)
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: self = .handshakeFailed(.denied(status: value))
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            switch value {
            case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): self = .handshakeFailed(.mechanism)
            case UInt32(ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): self = .handshakeFailed(.key)
            default: self = .handshakeFailed(.malformed)
            }
        default: return nil
        }
    }
}

/// Takes the events of one socket. Confined to the owner thread.
final class Monitor {
    private let monitored: ZMQSocket
    private let socket: ZMQSocket
    private let poller: Poller
    private var source: Poller.Source?

    /// `name` must be unique within the context.
    init(
        _ monitored: ZMQSocket, name: String, in context: ZMQContext, poller: Poller,
        handle: @escaping (ConnectionEvent) -> Void
    ) throws(TransportError) {
        self.monitored = monitored
        try monitored.monitor(ConnectionEvent.interesting, as: name)
        socket = try ZMQSocket(.monitor, in: context)
        self.poller = poller
        guard socket.connect("inproc://\(name)") else {
            monitored.endMonitor()
            socket.close()
            throw .failed(reason: "connect to the monitor: \(ZMQSocket.lastError)")
        }
        do throws(TransportError) {
            source = try poller.add(socket) { [unowned self] in take(handle) }
        } catch {
            monitored.endMonitor()
            socket.close()
            throw error
        }
    }

    /// Before the monitored socket is closed.
    func close() {
        if let source { poller.remove(source) }
        source = nil
        monitored.endMonitor()
        socket.close()
    }

    private func take(_ handle: (ConnectionEvent) -> Void) {
        // An event may close this monitor.
        while source != nil, socket.events.isReadable, let frames = socket.receiveMessage() {
            guard frames.count == 2, let event = ConnectionEvent(frames[0]) else { continue }
            handle(event)
        }
    }
}
