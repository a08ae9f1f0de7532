internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP2
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP2
internal import NIOSSL
internal import NIOTLS
internal import Runtime

/// HTTP/1.1 and HTTP/2 over TLS, whichever of them the client prefers (ALPN, RFC 7301).
///
/// Hummingbird's own channels for this are not used: one of them has one TLS context for ever, waits without end for the
/// end of a handshake, leaves the limits of HTTP/2 at the library's defaults, and drops streams that arrive while it is
/// cancelled, which traps.
struct SecureChannel: ServerChildChannel {
    enum Connection: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(NIOHTTP2Handler.AsyncStreamMultiplexer<HTTP1Channel.Value>)
    }

    struct Value: ServerChildChannelValue {
        /// There when the handshake is done.
        let connection: EventLoopFuture<Connection>
        let channel: any Channel
    }

    /// For new connections; an old one keeps what it began with.
    let context: LockedBox<NIOSSLContext>
    let limits: HTTPLimits
    let unsent: UnsentBytes
    let http1: HTTP1Channel
    /// Handles one request and one answer; the pipeline of a stream is made here.
    let stream: HTTP1Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            channel.keepSendQueueShort()
            let connectionGuard = TLSConnectionGuard(handshakeTimeout: limits.handshakeTimeout)
            let negotiation = NIOTypedApplicationProtocolNegotiationHandler<Connection> { result, channel in
                connectionGuard.finishHandshake()
                switch result {
                case .negotiated("h2"): return setupHTTP2(channel, logger).map { .http2($0) }
                case .negotiated, .fallback: return http1.setup(channel: channel, logger: logger).map { .http1($0) }
                }
            }
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(IdleStateHandler(allTimeout: limits.stallTimeout))
            try pipeline.addHandler(connectionGuard)
            try pipeline.addHandler(NIOSSLServerHandler(context: context.value))
            try pipeline.addHandler(negotiation)
            return Value(connection: negotiation.protocolNegotiationResult, channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // A task of its own: if it were cancelled, streams that arrive at that moment would be lost, and an answer that
        // waits for its client would go on waiting. Both end with the connection.
        let task = Task {
            switch try await value.connection.get() {
            case .http1(let connection): await http1.handle(value: connection, logger: logger)
            case .http2(let multiplexer):
                try await withThrowingDiscardingTaskGroup { group in
                    for try await connection in multiplexer.inbound {
                        group.addTask { await stream.handle(value: connection, logger: logger) }
                    }
                }
            }
        }
        await withTaskCancellationHandler {
            if case .failure(let error) = await task.result { logger.trace("Connection ended: \(error)") }
        } onCancel: {
            value.channel.triggerUserOutboundEvent(TLSConnectionGuard.Cut(), promise: nil)
        }
    }

    private func setupHTTP2(
        _ channel: any Channel, _ logger: Logger
    ) -> EventLoopFuture<NIOHTTP2Handler.AsyncStreamMultiplexer<HTTP1Channel.Value>> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let multiplexer = try pipeline.configureAsyncHTTP2Pipeline(
                mode: .server,
                connectionManagerConfiguration: .init(
                    maxIdleTime: limits.idleTimeout, maxAge: nil, maxGraceTime: nil, keepalive: nil),
                http2HandlerConfiguration: http2Configuration
            ) { setupStream($0, logger) }
            // It begins to count idle time when the connection becomes active, which was before the handshake.
            let manager = try pipeline.handler(type: NIOHTTP2ServerConnectionManagementHandler.self)
            manager.channelActive(context: try pipeline.context(handler: manager))
            try pipeline.addHandler(HTTP2ErrorGuard(logger: logger))
            return multiplexer
        }
    }

    /// What is not set here has bounds by default: frames of 16 KiB, 200 resets or control frames of a client in 30 s (else
    /// a few packets a second would keep the node busy, CVE-2023-44487 and CVE-2019-9515), and 64 KiB of a body that
    /// nobody has read yet.
    private var http2Configuration: NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.maximumStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.maximumHeaderBytes),
        ]
        // 5 unless longer headers need more.
        configuration.connection.maximumSequentialContinuationFrames = max(5, limits.maximumHeaderBytes / (16 << 10))
        return configuration
    }

    private func setupStream(_ channel: any Channel, _ logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(IdleStateHandler(allTimeout: limits.stallTimeout))
            try pipeline.addHandler(StreamGuard())
            try pipeline.addHandler(HTTP2FramePayloadToHTTPServerCodec())
            try pipeline.addHandler(ConnectionEnd(limits: limits, unsent: unsent, isHTTP2: true))
            try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
            return try HTTP1Channel.Value(wrappingChannelSynchronously: channel)
        }
    }
}
