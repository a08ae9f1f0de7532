import Glibc
import Testing
import Transport
import TransportKit

@Suite("Stream sockets")
struct StreamSocketTests {
    private static let loopback = PeerAddress(host: .v4(0x7f00_0001), port: 0)

    @Test("A limit on what stays unacknowledged is set in milliseconds")
    func unacknowledgedLimit() throws {
        let (listener, address) = try StreamSocket.listen(on: Self.loopback)
        let socket = try StreamSocket.connect(to: address)
        socket.limitUnacknowledged(to: .milliseconds(1_500))
        var (value, size) = (CInt(0), socklen_t(MemoryLayout<CInt>.size))
        #expect(getsockopt(socket.descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, &size) == 0)
        #expect(value == 1_500)
        listener.close()
    }
    @Test("Reading appends what is there, up to a limit, and tells an end from nothing")
    func reading() async throws {
        let (listener, address) = try StreamSocket.listen(on: Self.loopback)
        let socket = try StreamSocket.connect(to: address)
        var accepted: StreamSocket?
        while accepted == nil {
            if case .connection(let socket, _) = listener.accept() { accepted = socket }
        }
        let peer = try #require(accepted)
        var bytes: [UInt8] = [9]
        #expect(socket.read(into: &bytes) == .wouldBlock && bytes == [9])
        #expect(peer.write([1, 2, 3, 4, 5]) == .moved(5))
        peer.endWriting()
        #expect(await read(socket, into: &bytes, limit: 3) == .moved(3) && bytes == [9, 1, 2, 3])
        bytes = []
        #expect(await read(socket, into: &bytes) == .moved(2) && bytes == [4, 5])
        #expect(await read(socket, into: &bytes) == .ended && bytes == [4, 5])
    }

    /// Waits until there is something.
    private func read(_ socket: StreamSocket, into bytes: inout [UInt8], limit: Int = 64 * 1024) async
        -> StreamSocket.Transfer
    {
        while true {
            let transfer = socket.read(into: &bytes, limit: limit)
            if transfer != .wouldBlock { return transfer }
            await Task.yield()
        }
    }
}
