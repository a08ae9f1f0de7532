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
}
