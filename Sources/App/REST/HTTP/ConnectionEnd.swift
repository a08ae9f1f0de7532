internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Decides when a connection of HTTP/1, or a stream of HTTP/2, ends.
///
/// - Without a request it is closed after `idleTimeout`.
/// - A request that does not go on for that time, or is not whole after `bodyTimeout`, ends with `RequestTimeout` for
///   whoever reads it, who can still answer. Small bodies come with their head, and cost no timer.
/// - After an answer that says `Connection: close` it is closed; not before all of the answer is with the system, since
///   closing throws away what waits for a slow client. The rest of the request is read and thrown away for
///   `lingerTimeout`: closing with bytes unread would take the answer from the client (RFC 9112 §9.6).
///
/// It also counts the bytes of answers from when they come here until the system has taken them.
final class ConnectionEnd: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The client took too long for its request.
    struct RequestTimeout: Error {}

    private let limits: HTTPLimits
    private let unsent: UnsentBytes
    private let bodyTimeout: TimeAmount
    private let isHTTP2: Bool

    /// Requests whose answer has not ended.
    private var answersDue = 0
    /// Of the newest request.
    private var isRequestRead = true
    private var isAnswerBegun = false
    /// The end of an answer is the last that was written.
    private var isAnswerEnded = false
    /// The answer that has begun, or was the last, says that no other follows.
    private var isLastAnswer = false
    private var isLingering = false
    private var isTimedOut = false
    /// When the client, or an answer's end, last made this go on.
    private var lastMoved = NIODeadline.now()
    /// When the only request that waits for an answer began to be read.
    private var requestBegan = NIODeadline.now()
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture

    init(limits: HTTPLimits, unsent: UnsentBytes, isHTTP2: Bool = false) {
        self.limits = limits
        self.unsent = unsent
        self.isHTTP2 = isHTTP2
        bodyTimeout = TimeAmount(limits.bodyTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) { watch(context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard !isLastAnswer else {
            if case .end = part { isRequestRead = true }
            return
        }
        lastMoved = .now()
        switch part {
        case .head:
            isRequestRead = false
            answersDue += 1
            if answersDue == 1 { requestBegan = lastMoved }
        case .body: break
        case .end: isRequestRead = true
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if isLingering, !isRequestRead { context.read() } else { watch(context) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        isAnswerEnded = false
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isAnswerBegun = true
            guard head.headerFields[.connection] == "close" else { return context.write(data, promise: promise) }
            isLastAnswer = true
            // There is no such header (RFC 9113 §8.2.2).
            if isHTTP2 { head.headerFields[.connection] = nil }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let buffer) where buffer.readableBytes >= UnsentBytes.minimumBytes:
            let bytes = buffer.readableBytes
            unsent.add(bytes)
            let taken = promise ?? context.eventLoop.makePromise(of: Void.self)
            taken.futureResult.whenComplete { [unsent] _ in unsent.remove(bytes) }
            context.write(data, promise: taken)
        case .body: context.write(data, promise: promise)
        case .end:
            isAnswerBegun = false
            isAnswerEnded = true
            answersDue = max(0, answersDue - 1)
            lastMoved = .now()
            requestBegan = lastMoved
            guard isLastAnswer else {
                context.write(data, promise: promise)
                return watch(context)
            }
            let written = promise ?? context.eventLoop.makePromise()
            written.futureResult.assumeIsolated().whenComplete { self.linger(context, after: $0) }
            context.write(data, promise: written)
        }
    }

    /// When the node shuts down the library closes as soon as it has handed over the end of an answer.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .all = mode, isAnswerEnded, !isHTTP2 else { return context.close(mode: mode, promise: promise) }
        isAnswerEnded = false
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: promise) }
        closeLater(context)
        // An empty part writes nothing, and fulfils the promise after what was written before.
        context.writeAndFlush(wrapOutboundOut(.body(ByteBuffer())), promise: written)
    }

    private func linger(_ context: ChannelHandlerContext, after lastAnswer: Result<Void, any Error>) {
        guard case .success = lastAnswer else { return context.close(promise: nil) }
        // A stream ends by itself when both sides have said all.
        if isHTTP2, isRequestRead { return }
        if !isHTTP2 { context.close(mode: .output, promise: nil) }
        isLingering = true
        closeLater(context)
        if !isRequestRead { context.read() }
    }

    private func closeLater(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: limits.lingerTimeout) {
            context.close(promise: nil)
        }
    }

    /// When the client must have gone on, if it is its turn.
    private var deadline: NIODeadline? {
        if isLastAnswer || isTimedOut && answersDue > 0 { return nil }
        if answersDue == 0 { return lastMoved + limits.idleTimeout }
        // Of a request that came before its turn nothing more may have been read.
        guard answersDue == 1, !isRequestRead, !isAnswerBegun else { return nil }
        return min(lastMoved + limits.idleTimeout, requestBegan + bodyTimeout)
    }

    /// One timer that is set anew when it ends costs less than one for each request.
    private func watch(_ context: ChannelHandlerContext) {
        guard let deadline, timer == nil || deadline < timerDeadline else { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timer = nil
            self.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard let deadline else { return }
        guard deadline <= .now() else { return watch(context) }
        guard answersDue > 0 else { return context.close(promise: nil) }
        isTimedOut = true
        context.fireErrorCaught(RequestTimeout())
    }
}
