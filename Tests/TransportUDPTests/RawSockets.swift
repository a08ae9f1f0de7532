import CSockets
import Foundation
import Transport

/// A UDP socket outside of any plugin.
final class RawSocket: Sendable {
    let address: PeerAddress
    private let descriptor: CInt

    init() throws {
        var port: UInt16 = 0
        descriptor = cs_bind_datagram([127, 0, 0, 1], 4, 0, 1 << 20, &port)
        guard descriptor >= 0 else { throw TransportError.failed(reason: "bind: \(-descriptor)") }
        address = PeerAddress(host: .v4(0x7f00_0001), port: port)
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8], to address: PeerAddress) {
        var target = sockaddr_in(address)
        _ = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func receive() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(0, count)))
    }
}

/// A TCP connection outside of any plugin.
final class RawStream: Sendable {
    private let descriptor: CInt

    init?(_ address: PeerAddress) {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var target = sockaddr_in(address)
        let code = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { [descriptor] in
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 { return nil }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) { _ = Foundation.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }

    func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &buffer, buffer.count, CInt(MSG_DONTWAIT))
        return Array(buffer.prefix(max(0, count)))
    }
}

/// Accepts one connection and says `answer` at once, on a thread of its own.
final class RawServer: Sendable {
    let address: PeerAddress

    init(_ answer: [UInt8]) throws {
        var port: UInt16 = 0
        let descriptor = cs_listen_stream([127, 0, 0, 1], 4, 0, 65_536, &port)
        guard descriptor >= 0 else { throw TransportError.failed(reason: "listen: \(-descriptor)") }
        address = PeerAddress(host: .v4(0x7f00_0001), port: port)
        Thread.detachNewThread {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&waiting, 1, 5_000)
            let connection = accept(descriptor, nil, nil)
            _ = Foundation.send(connection, answer, answer.count, CInt(MSG_NOSIGNAL))
            var buffer = [UInt8](repeating: 0, count: 256)
            while recv(connection, &buffer, buffer.count, 0) > 0 {}
            close(connection)
            close(descriptor)
        }
    }
}

extension sockaddr_in {
    fileprivate init(_ address: PeerAddress) {
        self.init()
        guard case .v4(let host) = address.host else { return }
        sin_family = sa_family_t(AF_INET)
        sin_port = address.port.bigEndian
        sin_addr.s_addr = host.bigEndian
    }
}
