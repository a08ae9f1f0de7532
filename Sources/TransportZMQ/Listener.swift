internal import CSockets
import Transport

/// Who has connected to a bound socket, as far as its monitor tells.
struct Listener {
    /// By descriptor; absent where the connection was gone before it could be asked.
    private var hosts: [CInt: PeerAddress] = [:]
    private var failure: Refusal?
    private let ownPort: UInt16

    /// `ownPort`: what the socket is bound to.
    init(ownPort: UInt16) { self.ownPort = ownPort }

    /// A connection that did not come in: what to report, and from where. 0.0.0.0:0 where it was gone before it could be
    /// asked.
    mutating func note(_ event: ConnectionEvent, hasKey: Bool) -> (Refusal, PeerAddress)? {
        switch event {
        case .accepted(let descriptor): hosts[descriptor] = address(of: descriptor)
        case .handshakeFailed(.mechanism): failure = hasKey ? .clearText : .sealed
        case .handshakeFailed(.key), .handshakeFailed(.denied): failure = .otherKey
        case .handshakeFailed, .connected, .established, .connectFailed: failure = nil
        case .disconnected(let descriptor):
            // One thread tells of all connections, the end of each right behind its failure.
            let address = hosts.removeValue(forKey: descriptor)
            defer { failure = nil }
            return failure.map { ($0, address ?? PeerAddress(host: .v4(0), port: 0)) }
        }
        return nil
    }

    private func address(of descriptor: CInt) -> PeerAddress? {
        // The connection may be gone already, and its number given to one of another socket.
        guard cs_own_port(descriptor) == ownPort else { return nil }
        var host = [UInt8](repeating: 0, count: 16)
        var port: UInt16 = 0
        let length = cs_peer_address(descriptor, &host, &port)
        return length > 0 ? PeerAddress(hostBytes: host[..<Int(length)], port: port) : nil
    }
}
