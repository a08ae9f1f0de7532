internal import NIOCore
import Transport
import TransportKit

/// Runs the session of one connection on its event loop: bytes in, messages to the connection, answers out.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the hub hears of a connection.
    struct Callbacks: Sendable {
        var established: @Sendable (MessageChannel, ExchangeConnection) -> Void
        var refused: @Sendable (Refusal) -> Void
    }

    private var session: ExchangeSession
    private let connection: ExchangeConnection
    private let callbacks: Callbacks
    private var isOver = false
    private var look: Scheduled<Void>?

    init(session: ExchangeSession, connection: ExchangeConnection, callbacks: Callbacks) {
        self.session = session
        self.connection = connection
        self.callbacks = callbacks
    }

    func channelActive(context: ChannelHandlerContext) {
        // A port dialled on this host can be the port dialled from, and then TCP connects a socket to itself.
        if let local = context.localAddress, local == context.remoteAddress {
            connection.fail(.refused)
            return
        }
        handle(session.start(), context)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What comes while the connection lingers is read and dropped.
        guard !isOver, !connection.isClosing else { return }
        handle(unwrapInboundIn(data).withUnsafeReadableBytes { session.receive($0) }, context)
        planLook(context)
    }

    /// See `ExchangeSession.lookDelay`.
    private func planLook(_ context: ChannelHandlerContext) {
        guard look == nil, !isOver, let delay = session.lookDelay else { return }
        look = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) { [self] in
            look = nil
            guard !isOver, !connection.isClosing else { return }
            handle(session.look(), context)
            planLook(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if connection.wantsMore() { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        if isOver || connection.isClosing {
            context.close(promise: nil)
        } else {
            handle(session.receiveEnd(), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        look?.cancel()
        look = nil
        // An end was told of before: this is none.
        handle(session.receiveEnd(isReset: true), context)
        connection.fail(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.fail(.closed)
        context.close(promise: nil)
    }

    private func handle(_ outputs: [ExchangeSession.Output], _ context: ChannelHandlerContext) {
        var messages: [[UInt8]] = []
        for output in outputs {
            if case .message(let message) = output {
                messages.append(message)
                continue
            }
            if !messages.isEmpty { connection.pipe.deliver(messages) }
            messages = []
            switch output {
            case .message: break
            case .write(let bytes): write(bytes, context)
            case .established(let channel, let writer):
                connection.open(writer)
                callbacks.established(channel, connection)
            case .ended:
                // A clear membership stream may end in one direction only; our own layouts end both.
                isOver = true
                connection.end(isWhole: !session.isBare)
            case .failed(let error, let refusal, let reply):
                isOver = true
                if let refusal { callbacks.refused(refusal) }
                fail(error, reply: reply, context)
            }
        }
        if !messages.isEmpty { connection.pipe.deliver(messages) }
    }

    private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    /// Sends the last answer before the connection goes. The kernel sends it even though the connection is closed at
    /// once, unless bytes that nobody read make it reset; so reading goes on until the peer closes or the deadline.
    private func fail(_ error: ExchangeError, reply: [UInt8], _ context: ChannelHandlerContext) {
        guard !reply.isEmpty else { return connection.fail(error) }
        write(reply, context)
        let channel = context.channel
        context.close(mode: .output, promise: nil)
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in deadline.cancel() }
        connection.fail(error, isChannelKept: true)
    }
}
