import Foundation

/// One request over a connection of its own, sent at most once, for whoever counts what a node was asked to do.
///
/// `URLSession` is not for that: it silently sends a request again when a connection that it used before turns out to be
/// gone, though the node may have carried it out; and where connections are closed after each answer it misses some.
struct SingleRequest: Sendable {
    enum Failed: Error {
        /// Nobody listens there.
        case notSent
        /// Sent, perhaps in part, but not answered in time, or not to the end.
        case notAnswered
    }

    private static let limitSeconds = 10

    let node: REST
    var method: String
    var path: String
    var json: [String: JSON] = [:]

    enum JSON: Encodable {
        case text(String)
        case boolean(Bool)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .boolean(let boolean): try container.encode(boolean)
            }
        }
    }

    func send() async throws -> REST.Response {
        let text = try bytes()
        // Blocks, so not on a thread that all tasks share.
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try Self.exchange(text, host: node.host, port: node.port) })
            }
        }
    }

    private func bytes() throws -> Data {
        let body = json.isEmpty ? Data() : try JSONEncoder().encode(json)
        let head = """
            \(method) \(path) HTTP/1.1\r
            Host: \(node.host):\(node.port)\r
            Connection: close\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            \r

            """
        return Data(head.utf8) + body
    }

    private static func exchange(_ request: Data, host: String, port: Int) throws -> REST.Response {
        let descriptor = try connect(host: host, port: port)
        defer { close(descriptor) }
        var rest = request
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed.notAnswered }
            rest = rest.dropFirst(count)
        }
        var answer = Data()
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count >= 0 else { throw Failed.notAnswered }
            if count == 0 { break }
            answer += buffer[..<count]
        }
        return try parse(answer)
    }

    private static func connect(host: String, port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: limitSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw Failed.notSent
        }
        return descriptor
    }

    /// What came until the node closed the connection. All of it, or it was no answer.
    private static func parse(_ answer: Data) throws -> REST.Response {
        guard let end = answer.range(of: Data("\r\n\r\n".utf8)) else { throw Failed.notAnswered }
        let lines = String(decoding: answer[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { throw Failed.notAnswered }
        let body = answer[end.upperBound...]
        let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
        guard body.count == length ?? 0 else { throw Failed.notAnswered }
        return REST.Response(status: status, body: Data(body))
    }
}
