internal import CSockets
internal import Glibc

/// One connection that asks for one answer after the other. No more of HTTP/1.1 than a benchmark needs: answers tell
/// their length. For one thread at a time.
///
/// A client of a few lines, so that most of the processor is left to what is measured.
final class HTTPConnection {
    /// An answer that has come completely.
    struct Answer {
        var status: Int
        var body: [UInt8]
    }

    private static let patienceSeconds = 30.0

    let descriptor: Int32
    private var bytes: [UInt8] = []
    private var count = 0
    /// Of head and body; known once the head is here.
    private var expected: Int?
    private var headBytes = 0
    private var status = 0

    /// Connects to this machine. `isWaiting`: calls wait, at most 30 s.
    init(port: UInt16, isWaiting: Bool) throws(BenchmarkError) {
        let host: [UInt8] = [127, 0, 0, 1]
        descriptor = cs_connect_stream(host, 4, port, host, 0)
        guard descriptor >= 0 else { throw .connectionFailed(port: port) }
        bytes = [UInt8](repeating: 0, count: 16 << 10)
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 5_000) == 1, cs_take_error(descriptor) == 0 else {
            close(descriptor)
            throw .connectionFailed(port: port)
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        if isWaiting {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
            var limit = timeval(tv_sec: Int(Self.patienceSeconds), tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    deinit { close(descriptor) }

    /// Sends one request; the connection must not be waiting for an answer.
    func send(_ request: [UInt8]) throws(BenchmarkError) {
        guard Glibc.send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw .connectionLost
        }
    }

    /// Takes what is there. The status of the answer when it is complete, `nil` while it is not.
    func receive() throws(BenchmarkError) -> Int? {
        if count == bytes.count { bytes += [UInt8](repeating: 0, count: bytes.count) }
        guard bytes.count <= 256 << 20 else { throw .unreadableAnswer }
        let got = bytes.withUnsafeMutableBytes { room in
            room.baseAddress.map { read(descriptor, $0 + count, room.count - count) } ?? 0
        }
        guard got > 0 else {
            if got < 0, errno == EAGAIN || errno == EINTR { return nil }
            throw .connectionLost
        }
        count += got
        if expected == nil { try readHead() }
        guard let expected, count >= expected else { return nil }
        guard count == expected else { throw .unreadableAnswer }
        (count, self.expected) = (0, nil)
        return status
    }

    /// The body of the answer that was complete last.
    var body: [UInt8] { Array(bytes[headBytes..<bodyEnd]) }
    private var bodyEnd = 0

    /// Sends and waits.
    func ask(_ request: [UInt8]) throws(BenchmarkError) -> Answer {
        try send(request)
        let stopwatch = Stopwatch()
        while true {
            if let status = try receive() { return Answer(status: status, body: body) }
            guard stopwatch.seconds < Self.patienceSeconds else { throw .noAnswer }
        }
    }

    private func readHead() throws(BenchmarkError) {
        guard let end = Self.headEnd(bytes, count) else { return }
        guard end >= 12, let status = Int(String(decoding: bytes[9..<12], as: UTF8.self)) else {
            throw .unreadableAnswer
        }
        self.status = status
        headBytes = end
        let length = Self.contentLength(bytes[..<end])
        guard let length = length ?? (status == 204 ? 0 : nil) else { throw .unreadableAnswer }
        expected = end + length
        bodyEnd = end + length
    }

    private static func headEnd(_ bytes: [UInt8], _ count: Int) -> Int? {
        bytes.withUnsafeBufferPointer { bytes in
            var index = 3
            while index < count {
                if bytes[index] == 10, bytes[index - 1] == 13, bytes[index - 2] == 10 { return index + 1 }
                index += 1
            }
            return nil
        }
    }

    private static func contentLength(_ head: ArraySlice<UInt8>) -> Int? {
        let name = Array("content-length:".utf8)
        return head.withUnsafeBufferPointer { head in
            var index = 0
            while index + name.count < head.count {
                if head[index] == 10, (0..<name.count).allSatisfy({ head[index + 1 + $0] | 0x20 == name[$0] | 0x20 }) {
                    var length = 0
                    for byte in head[(index + 1 + name.count)...] {
                        if byte == 32 { continue }
                        guard (48...57).contains(byte), length < 1 << 30 else { break }
                        length = length * 10 + Int(byte - 48)
                    }
                    return length
                }
                index += 1
            }
            return nil
        }
    }
}

/// Requests as bytes.
enum HTTPRequestText {
    static func get(_ path: String) -> [UInt8] { Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8) }

    static func create(_ externID: String, _ text: String) -> [UInt8] {
        let body = "{\"extern_id\":\"\(externID)\",\"todo\":\"\(text)\"}"
        return write("POST", "/todos", body)
    }

    static func complete(_ externID: String) -> [UInt8] {
        write("PUT", "/todos/by-extern-id/\(externID)", "{\"completed\":true}")
    }

    private static func write(_ method: String, _ path: String, _ body: String) -> [UInt8] {
        let head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return Array("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }
}
