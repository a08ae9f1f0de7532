import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// A connection that sends and receives bytes as they are, to say things that a proper client would not.
enum RawClient {
    /// Runs `body` with a connection to 127.0.0.1, which is closed afterwards.
    ///
    /// - Parameters:
    ///   - tls: what is said and heard goes over TLS.
    ///   - receiveBufferBytes: what the system takes before somebody reads; `nil`: what it likes.
    static func connect<Value: Sendable>(
        port: Int, tls: NIOSSLContext? = nil, receiveBufferBytes: Int? = nil,
        _ body: @Sendable (inout Connection) async throws -> Value
    ) async throws -> Value {
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        if let receiveBufferBytes {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: receiveBufferBytes)
        }
        let channel =
            try await bootstrap
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(
                            isOutboundHalfClosureEnabled: true, inboundType: ByteBuffer.self,
                            outboundType: ByteBuffer.self))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = Connection(iterator: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&connection)
        }
    }

    struct Connection {
        fileprivate var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        fileprivate let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        private(set) var received = ""
        /// All that came, whatever was forgotten of `received`.
        private(set) var bytes: [UInt8] = []

        fileprivate init(
            iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
            outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) {
            self.iterator = iterator
            self.outbound = outbound
        }

        func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

        func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

        /// Waits until `condition` holds for `bytes`; whether it did before the server closed, in whatever way.
        mutating func receive(until condition: ([UInt8]) -> Bool) async -> Bool {
            while !condition(bytes) {
                guard (try? await readMore()) == true else { return condition(bytes) }
            }
            return true
        }

        /// What came until it contains `text`, all of which is then forgotten; `nil` when the server closed before.
        mutating func receive(until text: String) async throws -> String? {
            while !received.contains(text) {
                guard try await readMore() else { return nil }
            }
            defer { received = "" }
            return received
        }

        /// The same while something is sent again and again. What comes is read at once: who goes on sending to a server that
        /// has closed is reset, and loses what it had not read.
        mutating func receive(
            until end: String, whileSending text: String, every interval: Duration
        ) async throws -> String? {
            let outbound = outbound
            let sender = Task {
                while !Task.isCancelled, (try? await outbound.write(ByteBuffer(string: text))) != nil {
                    try? await Task.sleep(for: interval)
                }
            }
            defer { sender.cancel() }
            return try await receive(until: end)
        }

        /// What came until the server closed, be it with a reset because it was still being sent to.
        mutating func receiveAll() async throws -> String {
            do {
                while try await readMore() {}
            } catch let error as IOError where error.errnoCode == ECONNRESET {
                return received
            }
            return received
        }

        private mutating func readMore() async throws -> Bool {
            // The iterator is used by one task at a time, which the compiler cannot see across its concurrent method.
            nonisolated(unsafe) var iterator = self.iterator
            defer { self.iterator = iterator }
            guard let buffer = try await iterator.next() else { return false }
            received += String(buffer: buffer)
            bytes += buffer.readableBytesView
            return true
        }
    }
}
