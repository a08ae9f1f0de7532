import Glibc
import NIOCore
import NIOPosix

/// A connection that sends and receives bytes as they are, to say things that a proper client would not.
enum RawClient {
    /// Runs `body` with a connection to 127.0.0.1, which is closed afterwards.
    static func connect<Value: Sendable>(
        port: Int, _ body: @Sendable (inout Connection) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel(
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

        fileprivate init(
            iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
            outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
        ) {
            self.iterator = iterator
            self.outbound = outbound
        }

        func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }

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
            return true
        }
    }
}
