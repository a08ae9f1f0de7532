internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Gives what cannot be read as HTTP/1 an answer in the form of all other errors: the library's own has neither a date,
/// which RFC 9110 §6.6.1 demands, nor a body.
final class UnreadableRequest: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Comes up the pipeline when the parser has no objection and somebody else has.
    struct Refusal: Error {
        var problem: Problem
        var isHead: Bool
    }

    private let date: HTTPDate
    /// Of the request that is being read.
    private var isHead = false
    private var refusal: Refusal?

    init(date: HTTPDate) { self.date = date }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): isHead = head.method == .head
        case .body: break
        case .end: isHead = false
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as Refusal:
            refusal = error
            // The library answers only errors of this type.
            context.fireErrorCaught(HTTPParserError.unknown)
        case is HTTPParserError:
            if refusal == nil { refusal = Refusal(problem: .unreadable, isHead: isHead) }
            context.fireErrorCaught(error)
        default: context.fireErrorCaught(error)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Answers to requests before that one may come first, but have a date.
        guard let refusal, case .head(var head) = unwrapOutboundIn(data), head.headerFields[.date] == nil else {
            return context.write(data, promise: promise)
        }
        self.refusal = nil
        let body = refusal.problem.json
        head.status = refusal.problem.status
        head.headerFields[.date] = date.now
        head.headerFields[.contentType] = Problem.mediaType
        head.headerFields[.contentLength] = String(body.readableBytes)
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        if !refusal.isHead { context.write(wrapOutboundOut(.body(body)), promise: nil) }
    }
}
