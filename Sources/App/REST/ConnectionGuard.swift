internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Two things that a connection needs and its other handlers do not do.
///
/// It closes a connection whose client stopped taking the answer, told so by an `IdleStateHandler` before it. And it
/// keeps the end of an answer to `HEAD` from the encoder where no length is known: that would write the last chunk of
/// a body which must not be there.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Of the requests that wait for the end of their answers, the oldest first: whether each is a `HEAD`.
    private var pending = CircularBuffer<Bool>(initialCapacity: 4)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) { pending.append(head.method == .head) }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data), pending.popFirst() == true {
            // An empty body part writes nothing, and fulfils the promise in its turn.
            context.write(wrapOutboundOut(.body(ByteBuffer())), promise: promise)
        } else {
            context.write(data, promise: promise)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
