internal import NIOCore

/// Ends a TLS connection from below TLS, where nothing that the client leaves undone can hold that up: when its handshake
/// takes too long, when nothing moves any more (told so by an `IdleStateHandler` before it), and when it is told to.
final class TLSConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Sent down the pipeline by whoever wants the connection to end at once.
    struct Cut: Sendable {}

    private let handshakeTimeout: TimeAmount
    private var deadline: Scheduled<Void>?
    private var isHandshaking = true

    init(handshakeTimeout: TimeAmount) { self.handshakeTimeout = handshakeTimeout }

    /// Both sides have shown what they had to. On the connection's event loop.
    func finishHandshake() {
        isHandshaking = false
        deadline?.cancel()
        deadline = nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.value.eventLoop.scheduleTask(in: handshakeTimeout) { context.value.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { finishHandshake() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is IdleStateHandler.IdleStateEvent: context.close(promise: nil)
        // There is no request yet that could be finished.
        case is ChannelShouldQuiesceEvent where isHandshaking: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        if event is Cut {
            context.close(promise: promise)
        } else {
            context.triggerUserOutboundEvent(event, promise: promise)
        }
    }
}
