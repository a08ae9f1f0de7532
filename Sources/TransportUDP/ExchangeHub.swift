internal import Foundation
internal import Keys
internal import NIOCore
internal import NIOPosix
import Transport
import TransportKit

/// All exchanges of one transport: dials, accepts, bounds and, at the end, closes them. One event loop of its own.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class ExchangeHub: @unchecked Sendable {
    /// How long open exchanges may take to send their rest when the transport stops.
    private static let stopLinger: Duration = .milliseconds(300)

    private let configuration: UDPTransportConfiguration
    private let key: Subkey?
    private let inlets: Inlets
    private let lock = NSLock()
    private var listener: CInt
    private var group: MultiThreadedEventLoopGroup?
    private var isFinished = false
    private var dialled = 0
    private var accepted = 0
    private var acceptedByHost: [PeerAddress.Host: Int] = [:]
    private var open: [ObjectIdentifier: (channel: any NIOCore.Channel, connection: ExchangeConnection)] = [:]

    /// Takes over `listener`, a listening socket. `configuration` is valid.
    init(
        listener: CInt, configuration: UDPTransportConfiguration, inlets: Inlets
    ) {
        self.listener = listener
        self.configuration = configuration
        self.inlets = inlets
        key = configuration.key?.subkey(for: .exchanges)
    }

    deinit {
        if listener >= 0 { close(listener) }
        group?.shutdownGracefully { _ in }
    }

    /// See `Transport.exchange`.
    func dial(_ peer: PeerAddress, on channel: MessageChannel) async throws(ExchangeError) -> any Exchange {
        let group = try admitDial()
        let connection = ExchangeConnection(timeouts: timeouts)
        let session = session(.dialler(channel))
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.nanoseconds(configuration.connectTimeout.wholeNanoseconds))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [self] channel in
                let callbacks = ExchangeHandler.Callbacks(established: { _, _ in }, refused: { _ in })
                return add(session, connection, callbacks, to: channel)
            }
        guard let address = SocketAddress(peer) else {
            releaseDial()
            throw .noAnswer
        }
        let connecting = bootstrap.connect(to: address)
        connecting.whenComplete { [self] result in
            switch result {
            case .success(let channel): channel.closeFuture.whenComplete { _ in self.releaseDial() }
            case .failure(let error):
                releaseDial()
                connection.fail(Self.reason(for: error))
            }
        }
        try await connection.pipe.waitUntilOpen()
        return PipeExchange(peer: peer, pipe: connection.pipe)
    }

    /// Accepts exchanges until the calling task is cancelled; returns when every connection and thread is gone.
    func run() async throws(TransportError) {
        let failure = await serve()
        await stop()
        if let failure { throw failure }
    }

    /// Returns why accepting ended, or `nil` when it was asked to.
    private func serve() async -> TransportError? {
        guard let (group, listener) = takeListener() else { return .failed(reason: "run was called twice") }
        let bootstrap = ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { [self] channel in accept(channel) }
        do {
            let server = try await bootstrap.withBoundSocket(listener).get()
            await withTaskCancellationHandler {
                _ = try? await server.closeFuture.get()
            } onCancel: {
                server.close(promise: nil)
            }
            return Task.isCancelled ? nil : .failed(reason: "the listening socket was closed")
        } catch {
            return .failed(reason: "listening failed: \(error)")
        }
    }

    private func stop() async {
        let (connections, group) = lock.withLock {
            isFinished = true
            defer { self.group = nil }
            return (Array(open.values), self.group)
        }
        // Exchanges that nobody took close when their handles go.
        for queue in inlets.exchanges.all {
            queue.finish()
            _ = queue.takeNow()
        }
        for (_, connection) in connections { connection.close(linger: Self.stopLinger) }
        let deadline = group?.next().scheduleTask(in: .nanoseconds(2 * Self.stopLinger.wholeNanoseconds)) {
            for (channel, _) in connections { channel.close(promise: nil) }
        }
        for (channel, _) in connections { _ = try? await channel.closeFuture.get() }
        deadline?.cancel()
        try? await group?.shutdownGracefully()
    }

    private func takeListener() -> (MultiThreadedEventLoopGroup, CInt)? {
        lock.withLock {
            guard listener >= 0, !isFinished else { return nil }
            defer { listener = -1 }
            return (loopGroup(), listener)
        }
    }

    /// The event loop starts when it is first needed. Called with the lock held.
    private func loopGroup() -> MultiThreadedEventLoopGroup {
        if let group { return group }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        return group
    }

    private var timeouts: ExchangeConnection.Timeouts {
        .init(
            handshake: configuration.handshakeTimeout, idle: configuration.idleTimeout,
            linger: configuration.lingerTimeout)
    }

    private func session(_ role: ExchangeSession.Role) -> ExchangeSession {
        ExchangeSession(role: role, key: key, membershipStreamEnd: configuration.membershipStreamEnd)
    }
}

// MARK: Bounds

extension ExchangeHub {
    private func admitDial() throws(ExchangeError) -> MultiThreadedEventLoopGroup {
        lock.lock()
        defer { lock.unlock() }
        guard !isFinished else { throw .closed }
        guard dialled < configuration.maxExchanges else { throw .busy }
        dialled += 1
        return loopGroup()
    }

    /// Connections dialled and accepted, handshakes and farewells included.
    var openCount: Int { lock.withLock { dialled + accepted } }

    private func releaseDial() { lock.withLock { dialled -= 1 } }

    private func admitAccept(_ host: PeerAddress.Host) -> Bool {
        lock.withLock {
            guard !isFinished, accepted < configuration.maxExchanges,
                acceptedByHost[host, default: 0] < configuration.maxExchangesPerHost
            else { return false }
            accepted += 1
            acceptedByHost[host, default: 0] += 1
            return true
        }
    }

    private func releaseAccept(_ host: PeerAddress.Host) {
        lock.withLock {
            accepted -= 1
            let left = acceptedByHost[host, default: 1] - 1
            acceptedByHost[host] = left > 0 ? left : nil
        }
    }
}

// MARK: Connections, on the event loop

extension ExchangeHub {
    private struct TurnedAway: Error {}

    private func accept(_ channel: any NIOCore.Channel) -> EventLoopFuture<Void> {
        guard let peer = channel.remoteAddress.flatMap(PeerAddress.init) else {
            return channel.eventLoop.makeFailedFuture(TurnedAway())
        }
        guard admitAccept(peer.host) else {
            inlets.events.refused(.tooManyExchanges, peer, isAnyPort: true)
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(TurnAwayHandler())
            }
        }
        channel.closeFuture.whenComplete { _ in self.releaseAccept(peer.host) }
        let callbacks = ExchangeHandler.Callbacks(
            established: { [inlets] channel, connection in
                inlets.deliver(PipeExchange(peer: peer, pipe: connection.pipe), on: channel)
            },
            refused: { [inlets] refusal in inlets.events.refused(refusal, peer, isAnyPort: true) })
        return add(session(.acceptor), ExchangeConnection(timeouts: timeouts), callbacks, to: channel)
    }

    private func add(
        _ session: ExchangeSession, _ connection: ExchangeConnection, _ callbacks: ExchangeHandler.Callbacks,
        to channel: any NIOCore.Channel
    ) -> EventLoopFuture<Void> {
        let isLate = lock.withLock {
            if isFinished { return true }
            open[ObjectIdentifier(channel)] = (channel, connection)
            return false
        }
        if isLate { return channel.eventLoop.makeFailedFuture(TurnedAway()) }
        channel.closeFuture.whenComplete { _ in
            self.lock.withLock { self.open[ObjectIdentifier(channel)] = nil }
        }
        connection.attach(channel)
        return channel.eventLoop.makeCompletedFuture {
            let handler = ExchangeHandler(session: session, connection: connection, callbacks: callbacks)
            try channel.pipeline.syncOperations.addHandler(handler)
        }
    }

    private static func reason(for error: any Error) -> ExchangeError {
        switch error {
        case let error as IOError where error.errnoCode == ECONNREFUSED: .refused
        case let error as IOError where error.errnoCode == EMFILE || error.errnoCode == ENFILE: .busy
        default: .noAnswer
        }
    }
}

/// Tells a dialler that there is no room, and hangs up. Where its bytes are unread that resets the connection, which the
/// dialler takes for the same.
private final class TurnAwayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: ExchangeSession.wire.tooManyRefusal)), promise: nil)
        context.close(promise: nil)
    }
}

extension SocketAddress {
    fileprivate init?(_ address: PeerAddress) {
        guard
            let made = try? SocketAddress(
                packedIPAddress: ByteBuffer(bytes: address.hostBytes), port: Int(address.port))
        else { return nil }
        self = made
    }
}

extension PeerAddress {
    /// Through the text: which module declares the fields of the system's addresses depends on the order of the build.
    fileprivate init?(_ address: SocketAddress) {
        guard let host = address.ipAddress, let port = address.port else { return nil }
        self.init(address.protocol == .inet6 ? "[\(host)]:\(port)" : "\(host):\(port)")
    }
}
