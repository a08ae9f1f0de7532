import Foundation
import Glibc
import NIOCore

/// A client with a small window that reads a little at a time. Blocks its thread.
enum SlowReader {
    /// The answer to a `GET`, until its last chunk or the end of the connection, for at most 40 s.
    static func read(_ path: String, port: UInt16, bytes: Int, every pause: Duration) throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        defer { close(descriptor) }
        // Before it connects: the window is agreed on then.
        var window: Int32 = 16 << 10
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size))
        // As on a real network; with the 64 KiB of loopback a small window would hardly open.
        var segment: Int32 = 1400
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_MAXSEG, &segment, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafeBytes(of: &address) {
            connect(
                descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0 else { throw IOError(errnoCode: errno, reason: "connect") }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw IOError(errnoCode: errno, reason: "send")
        }
        let deadline = ContinuousClock.now + .seconds(40)
        let end = Array("\r\n0\r\n\r\n".utf8)
        var received: [UInt8] = []
        var part = [UInt8](repeating: 0, count: bytes)
        while ContinuousClock.now < deadline, received.suffix(end.count) != end[...] {
            let count = recv(descriptor, &part, part.count, 0)
            guard count > 0 else { break }
            received += part.prefix(count)
            // Its pace is what the test is about.
            Thread.sleep(forTimeInterval: Double(pause.components.attoseconds) / 1e18)
        }
        return String(decoding: received, as: UTF8.self)
    }
}
