internal import Glibc
internal import NIOCore
internal import NIOHTTPTypes

/// Counts the bytes of answers from when a connection, or a stream of HTTP/2, has them until the system has taken them.
final class SendMeter: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Counting less costs more than it weighs.
    static let minimumBytes = 1 << 10

    private let unsent: UnsentBytes

    init(_ unsent: UnsentBytes) { self.unsent = unsent }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .body(let buffer) = unwrapOutboundIn(data), buffer.readableBytes >= Self.minimumBytes else {
            return context.write(data, promise: promise)
        }
        let bytes = buffer.readableBytes
        unsent.add(bytes)
        let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [unsent] _ in unsent.remove(bytes) }
        context.write(data, promise: promise)
    }
}

extension Channel {
    /// Has the system take no more than it can send soon. Else it takes megabytes, and then nothing until a third of them
    /// has gone, so that a client which reads slowly cannot be told from one that reads nothing. On the event loop.
    func keepSendQueueShort() {
        // What has no such option is no TCP socket.
        let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_NOTSENT_LOWAT))
        try? syncOptions?.setOption(option, value: 64 << 10)
    }
}
