internal import CSockets
internal import Glibc
import Transport

/// The UDP socket and the listening TCP socket of one address, closed once: by this owner, unless they were taken.
struct BoundSockets: ~Copyable {
    /// Tries at finding a port that is free for both protocols.
    private static let attempts = 32
    /// Receive buffer of TCP connections: what the kernel holds beyond our own bounds.
    private static let streamReceiveBytes = 512 * 1024

    let address: PeerAddress
    private var datagram: CInt
    private var stream: CInt

    /// Binds both on one port; port 0 means a free one.
    init(_ wanted: PeerAddress, receiveBufferBytes: Int) throws(TransportError) {
        let host = wanted.hostBytes
        var lastCode: CInt = 0
        for _ in 0..<(wanted.port == 0 ? Self.attempts : 1) {
            var port: UInt16 = 0
            let stream = cs_listen_stream(host, UInt8(host.count), wanted.port, CInt(Self.streamReceiveBytes), &port)
            guard stream >= 0 else { throw Self.failure(-stream, wanted) }
            var samePort: UInt16 = 0
            let datagram = cs_bind_datagram(
                host, UInt8(host.count), port, CInt(clamping: receiveBufferBytes), &samePort)
            if datagram >= 0 {
                self.datagram = datagram
                self.stream = stream
                address = wanted.with(port: port)
                return
            }
            Glibc.close(stream)
            lastCode = -datagram
            guard lastCode == EADDRINUSE else { break }
        }
        throw Self.failure(lastCode, wanted)
    }

    /// The UDP socket; the caller closes it from now on.
    mutating func takeDatagram() -> CInt {
        defer { datagram = -1 }
        return datagram
    }

    /// The TCP socket; the caller closes it from now on.
    mutating func takeStream() -> CInt {
        defer { stream = -1 }
        return stream
    }

    deinit {
        if datagram >= 0 { Glibc.close(datagram) }
        if stream >= 0 { Glibc.close(stream) }
    }

    private static func failure(_ code: CInt, _ address: PeerAddress) -> TransportError {
        code == EADDRINUSE ? .addressInUse(address) : .cannotBind(address, reason: String(cString: strerror(code)))
    }
}
