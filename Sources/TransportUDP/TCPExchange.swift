import Transport

/// The handle of an exchange over TCP. The connection lives while the event loop needs it; when the last reference to
/// this handle goes, it is closed.
final class TCPExchange: Exchange {
    let peer: PeerAddress
    private let connection: ExchangeConnection

    init(peer: PeerAddress, connection: ExchangeConnection) {
        self.peer = peer
        self.connection = connection
    }

    deinit { connection.close() }

    func send(_ message: [UInt8]) async throws(ExchangeError) { try await connection.send(message) }
    func receive() async throws(ExchangeError) -> [UInt8]? { try await connection.receive() }
    func close() { connection.close() }
}
