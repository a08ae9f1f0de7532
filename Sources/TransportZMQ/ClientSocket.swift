internal import CLibZMQ
import Transport

/// A socket of this node with one connection to a peer, which is made once. Confined to the owner thread.
final class ClientSocket {
    let socket: ZMQSocket
    private let reactor: ZMQReactor
    private var monitor: Monitor?
    private var source: Poller.Source?

    /// Throws `failed` when libzmq or the system is out of sockets.
    init(_ kind: SocketKind, in reactor: ZMQReactor) throws(TransportError) {
        self.reactor = reactor
        socket = try reactor.makeSocket(kind)
    }

    /// Begins to connect. `onEvent` hears of the connection, `onReady` is called when there may be something to receive
    /// or room to send. Throws `failed`; the caller closes the socket then too.
    func connect(
        to address: PeerAddress, from local: LocalEnd, onEvent: @escaping (ConnectionEvent) -> Void,
        onReady: @escaping () -> Void
    ) throws(TransportError) {
        try socket.set(SocketKind.family(of: address))
        monitor = try reactor.monitor(socket, handle: onEvent)
        source = try reactor.poller.add(socket, handle: onReady)
        guard socket.connect(local.endpoint(of: address)) else { throw .failed(reason: ZMQSocket.lastError) }
    }

    /// Whether it was connected and not closed.
    var isOpen: Bool { source != nil }

    /// `isLingering`: what libzmq has is given a moment to go out. May be called more than once.
    func close(isLingering: Bool = false) {
        if isLingering { try? socket.set(ZMQ_LINGER, SocketKind.farewellMilliseconds) }
        if let source { reactor.poller.remove(source) }
        source = nil
        monitor?.close()
        monitor = nil
        socket.close()
    }
}
