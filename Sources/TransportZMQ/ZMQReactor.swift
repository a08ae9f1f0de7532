internal import CLibZMQ
import Transport
import TransportKit

/// What every part of the owner thread stands on: the context of libzmq, the poller, the keys, and the answer to ZAP, by
/// which libzmq asks whether a client may connect. Confined to the owner thread.
final class ZMQReactor {
    let configuration: ZMQTransportConfiguration
    let events: EventSink
    let poller: Poller
    private let context: ZMQContext
    private let keys: CurveKeys?
    private let authenticator: ZMQSocket
    private var source: Poller.Source?
    private var lastMonitor = 0

    /// Throws `failed`, and then leaves nothing open.
    init(_ configuration: ZMQTransportConfiguration, events: EventSink) throws(TransportError) {
        self.configuration = configuration
        self.events = events
        keys = configuration.key.map(CurveKeys.init)
        poller = try Poller()
        // A link takes three of them, itself and a pair for its monitor, and a subscription as many.
        let context = try ZMQContext(maxSockets: CInt(clamping: 64 + 6 * configuration.maxLinks))
        var made: ZMQSocket?
        do throws(TransportError) {
            let socket = try ZMQSocket(.authenticator, in: context)
            made = socket
            // Bound before any socket that asks it.
            try socket.bind(inProcess: "zeromq.zap.01")
            authenticator = socket
        } catch {
            made?.close()
            context.end()
            throw error
        }
        self.context = context
    }

    var hasKey: Bool { keys != nil }

    /// A socket with the keys of its side. Throws `failed`. The caller closes the socket.
    func makeSocket(_ kind: SocketKind) throws(TransportError) -> ZMQSocket {
        let socket = try ZMQSocket(kind, in: context)
        do throws(TransportError) {
            switch kind {
            case .router, .publisher:
                try keys?.secureServer(socket)
                // libzmq asks only where a domain is set.
                if hasKey { try socket.set(ZMQ_ZAP_DOMAIN, Array(CurveKeys.domain.utf8)) }
            case .dealer, .subscriber: try keys?.secureClient(socket)
            case .authenticator, .monitor: break
            }
        } catch {
            socket.close()
            throw error
        }
        return socket
    }

    /// Events of a socket's connections, until the monitor is closed. Throws `failed`.
    func monitor(_ socket: ZMQSocket, handle: @escaping (ConnectionEvent) -> Void) throws(TransportError) -> Monitor {
        lastMonitor += 1
        return try Monitor(socket, name: "monitor-\(lastMonitor)", in: context, poller: poller, handle: handle)
    }

    /// Answers ZAP from now on. Throws `failed`.
    func watch() throws(TransportError) {
        source = try poller.add(authenticator) { [unowned self] in authenticate() }
    }

    /// Every socket must be closed or be about to linger. Waits until the threads of libzmq are gone.
    func close() {
        if let source { poller.remove(source) }
        source = nil
        authenticator.close()
        context.end()
    }

    /// A client may connect only with the cluster's key.
    private func authenticate() {
        guard authenticator.events.isReadable else { return }
        while let request = authenticator.receiveMessage() {
            // Version, request id, domain, address, identity, mechanism, credentials.
            let isWelcome = request.count == 7 && request[0] == Array("1.0".utf8) && keys?.isClient(request[6]) == true
            let id = request.count > 1 ? request[1] : []
            let answer = [Array("1.0".utf8), id, Array((isWelcome ? "200" : "400").utf8), [], [], []]
            for (index, frame) in answer.enumerated() {
                _ = authenticator.send(frame, hasMore: index < answer.count - 1)
            }
        }
    }
}
