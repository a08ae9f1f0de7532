internal import CLibZMQ
import Transport
import TransportKit

/// A socket that others connect to. Who is turned away is counted and reported. Confined to the owner thread.
final class BoundSocket {
    let socket: ZMQSocket
    /// Where it listens.
    let address: PeerAddress
    private let reactor: ZMQReactor
    private var listener: Listener
    private var monitor: Monitor?
    private var source: Poller.Source?

    /// Throws `addressInUse`, `cannotBind` or `failed`, and then leaves nothing open.
    init(_ kind: SocketKind, at wanted: PeerAddress, in reactor: ZMQReactor) throws(TransportError) {
        let socket = try reactor.makeSocket(kind)
        do throws(TransportError) {
            try socket.set(SocketKind.family(of: wanted))
            address = try socket.bind(wanted)
        } catch {
            socket.close()
            throw error
        }
        self.socket = socket
        self.reactor = reactor
        listener = Listener(ownPort: address.port)
    }

    /// Calls `onReady` when there is something to receive, and `onEnd` with the descriptor of each connection that has
    /// ended. Throws `failed`.
    func watch(onReady: @escaping () -> Void, onEnd: @escaping (CInt) -> Void = { _ in }) throws(TransportError) {
        source = try reactor.poller.add(socket, handle: onReady)
        monitor = try reactor.monitor(socket) { [unowned self] event in
            note(event)
            if case .disconnected(let descriptor) = event { onEnd(descriptor) }
        }
    }

    private func note(_ event: ConnectionEvent) {
        if let (refusal, address) = listener.note(event, hasKey: reactor.hasKey) {
            reactor.events.dropped(refusal == .clearText ? .clearText : .otherKey)
            reactor.events.refused(refusal, address, isAnyPort: true)
        } else if case .handshakeFailed(.malformed) = event {
            reactor.events.dropped(.malformed)
        }
    }

    /// What libzmq has is given a moment to go out.
    func close() {
        try? socket.set(ZMQ_LINGER, SocketKind.farewellMilliseconds)
        monitor?.close()
        monitor = nil
        if let source { reactor.poller.remove(source) }
        source = nil
        socket.close()
    }
}
