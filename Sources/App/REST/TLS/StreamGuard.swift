internal import Logging
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// What a stream of HTTP/2 needs beside the library's codec, which follows it.
///
/// It resets a stream whose client opens no window for its answer, told so by an `IdleStateHandler` before it. And it
/// says of a body whose length is not known, which HTTP/2 has no header for, what HTTP/1 says, so that whoever looks at a
/// request's head need not know how it came. (A client cannot say so itself: RFC 9113 §8.2.2.)
final class StreamGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload

    private var isHeadRead = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isHeadRead, case .headers(var head) = unwrapInboundIn(data) else {
            return context.fireChannelRead(data)
        }
        isHeadRead = true
        if !head.endStream, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "transfer-encoding", value: "chunked")
        }
        context.fireChannelRead(wrapInboundOut(.headers(head)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

/// Ends an HTTP/2 connection whose client breaks the protocol, or a limit that `NIOHTTP2Handler` watches. That tells the
/// client why, and leaves the closing to others. And one whose client has said its last: it can open no window any more,
/// and what it asked for would be made for nobody.
final class HTTP2ErrorGuard: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.log(.debug, "HTTP/2 connection ended", [.reason: "\(error)"])
        context.close(promise: nil)
    }
}
