internal import NIOCore
internal import NIOHTTP1

/// What HTTP/1 asks of a server and the libraries leave out. It stands where a request still has its version.
///
/// A connection that does not go on is closed after the answer, which says so: that of a client of HTTP/1.0, of one that
/// wants it so in whatever words (RFC 9112 §9.3), and of one that offers another protocol, after which the decoder reads
/// nothing more. (Some clients offer HTTP/2 with their first request, and would wait for ever for the answer to their
/// second.) A client that waits to be told to send its body is told when somebody wants to read it (RFC 9110 §10.1.1).
/// What names no host, several, or what is none, or has a coding besides chunks, is refused (RFC 9112 §3.2, §6.1).
final class HTTP1Rules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Sent down the pipeline by whoever is about to read the body of the request whose answer is next.
    struct BodyWanted: Sendable {}

    /// A request that waits for the end of its answer.
    private struct Pending {
        /// Of a client that knows no more than HTTP/1.0.
        var isOld: Bool
        var isClosing: Bool
        var awaitsContinue: Bool
    }

    /// The oldest first.
    private var pending = CircularBuffer<Pending>(initialCapacity: 4)
    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let fields = Fields(head.headers)
        let isOld = head.version != .http1_1
        guard isOld ? fields.areSoundInHTTP10 : fields.areSound else {
            isRefused = true
            return context.fireErrorCaught(
                UnreadableRequest.Refusal(
                    problem: !isOld && fields.haveUnknownCoding ? .unknownCoding : .unreadable,
                    isHead: head.method == .HEAD))
        }
        let isClosing = !head.isKeepAlive || isOld || fields.offersUpgrade || head.method == .CONNECT
        if isClosing { head.headers.replaceOrAdd(name: "connection", value: "close") }
        let awaitsContinue = !isOld && fields.awaitContinue
        pending.append(Pending(isOld: isOld, isClosing: isClosing, awaitsContinue: awaitsContinue))
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            guard let request = pending.first else { break }
            // Too late to be told anything but this.
            pending[pending.startIndex].awaitsContinue = false
            if request.isClosing { head.headers.replaceOrAdd(name: "connection", value: "close") }
            // Else the encoder would send chunks, which are unknown there.
            if request.isOld { head.version = .http1_0 }
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: break
        case .end:
            _ = pending.popFirst()
        }
        context.write(data, promise: promise)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is BodyWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        promise?.succeed()
        guard pending.first?.awaitsContinue == true else { return }
        pending[pending.startIndex].awaitsContinue = false
        context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }
}

/// What a request's header says that matters to the connection.
private struct Fields {
    private var hostCount = 0
    private var areHostsSound = true
    private var codings: [String] = []
    private(set) var awaitContinue = false
    private(set) var offersUpgrade = false

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            // Most names have another length.
            switch name.utf8.count {
            case 4:
                guard name.lowercased() == "host" else { break }
                hostCount += 1
                areHostsSound = areHostsSound && HostField.isSound(value)
            case 6: if name.lowercased() == "expect" { awaitContinue = value.lowercased() == "100-continue" }
            case 7: if name.lowercased() == "upgrade" { offersUpgrade = true }
            case 17: if name.lowercased() == "transfer-encoding" { codings.append(value.lowercased()) }
            default: break
            }
        }
    }

    /// Before the chunks, without which nobody knows where the body ends.
    var haveUnknownCoding: Bool {
        let names = codings.joined(separator: ",").split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
        return names.last == "chunked" && names.count > 1 && !names.dropLast().contains("chunked")
    }

    var areSound: Bool { hostCount == 1 && areHostsSound && (codings.isEmpty || codings == ["chunked"]) }
    var areSoundInHTTP10: Bool { hostCount <= 1 && areHostsSound && codings.isEmpty }
}
