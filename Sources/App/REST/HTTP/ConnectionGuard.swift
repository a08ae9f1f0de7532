internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1

/// Three things that a connection needs and its other handlers do not do.
///
/// It closes a connection whose client stopped taking the answer, told so by an `IdleStateHandler` before it. It keeps
/// the end of an answer to `HEAD` from the encoder where no length is known: that would write the last chunk of a body
/// which must not be there. And it completes the answer to an `UnreadableRequest`. What needs to be done before its place
/// in the pipeline, `HTTP1Rules` does.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Of the requests that wait for the end of their answers, the oldest first: whether each is a `HEAD`.
    private var pending = CircularBuffer<Bool>(initialCapacity: 4)
    /// Whether the request that is being read is one.
    private var isReadingHead = false
    private var unreadable: UnreadableRequest

    init(date: HTTPDate) { unreadable = UnreadableRequest(date: date) }

    /// The library has a place for handlers behind the codec only.
    func handlerAdded(context: ChannelHandlerContext) {
        context.channel.keepSendQueueShort()
        let pipeline = context.pipeline.syncOperations
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(HTTP1Rules(), position: .before(codec))
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isReadingHead = head.method == .head
            pending.append(isReadingHead)
        case .body: break
        case .end: isReadingHead = false
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.fireErrorCaught(unreadable.note(error, isHead: isReadingHead))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if let answer = unreadable.completed(part) {
            context.write(wrapOutboundOut(.head(answer.head)), promise: promise)
            if let body = answer.body { context.write(wrapOutboundOut(.body(body)), promise: nil) }
        } else if case .end = part, pending.popFirst() == true {
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
