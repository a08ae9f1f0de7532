import CSockets
import Glibc
import Testing
import Transport

@testable import TransportZMQ

@Suite("Who has connected")
struct ListenerTests {
    /// A connection over loopback: the side that was accepted, and the port that it was accepted on.
    private func connection() throws -> (accepted: CInt, port: UInt16, others: [CInt]) {
        var port: UInt16 = 0
        let listener = cs_listen_stream([127, 0, 0, 1], 4, 0, 65_536, &port)
        try #require(listener >= 0)
        let client = cs_connect_stream([127, 0, 0, 1], 4, port, [], 0)
        try #require(client >= 0)
        var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 5_000) == 1)
        let accepted = accept(listener, nil, nil)
        try #require(accepted >= 0)
        return (accepted, port, [listener, client])
    }

    @Test("A refused connection is named by its host, and by nobody's when its number has gone to another")
    func reusedDescriptor() throws {
        let connection = try connection()
        defer { for descriptor in [connection.accepted] + connection.others { close(descriptor) } }
        func refused(ownPort: UInt16) -> PeerAddress? {
            var listener = Listener(ownPort: ownPort)
            _ = listener.note(.accepted(descriptor: connection.accepted), hasKey: true)
            _ = listener.note(.handshakeFailed(.key), hasKey: true)
            let refused = listener.note(.disconnected(descriptor: connection.accepted), hasKey: true)
            #expect(refused?.0 == .otherKey)
            return refused?.1
        }
        #expect(refused(ownPort: connection.port)?.host == .v4(0x7f00_0001))
        #expect(refused(ownPort: connection.port &+ 1) == PeerAddress(host: .v4(0), port: 0))
        #expect(cs_own_port(-1) == 0)
    }
}
