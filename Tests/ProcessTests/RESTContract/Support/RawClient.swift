import Foundation

/// A client of one node that shares no code with it: what it is told goes out as it is, once, on a connection of its own,
/// and what comes back is taken apart to the byte.
struct RawClient: Sendable {
    enum Failed: Error {
        case notConnected
        /// The node did not end the connection in time.
        case noEnd
    }

    private static let limitSeconds = 20

    let port: Int

    func get(_ path: String, _ fields: [String] = []) async throws -> HTTPAnswer {
        try await send("GET", path, nil as [UInt8]?, fields: fields)
    }

    /// - Parameters:
    ///   - type: the content type of the body, none with `nil`.
    ///   - fields: further header lines.
    func send(
        _ method: String, _ path: String, _ body: String? = nil, type: String? = "application/json",
        fields: [String] = []
    ) async throws -> HTTPAnswer {
        try await send(method, path, body.map { Array($0.utf8) }, type: type, fields: fields)
    }

    func send(
        _ method: String, _ path: String, _ body: [UInt8]?, type: String? = "application/json", fields: [String] = []
    ) async throws -> HTTPAnswer {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close"] + fields
        if let body {
            lines.append("Content-Length: \(body.count)")
            if let type { lines.append("Content-Type: \(type)") }
        }
        let head = lines.map { $0 + "\r\n" }.joined() + "\r\n"
        return try HTTPAnswer(try await exchange(Array(head.utf8) + (body ?? [])), toHead: method == "HEAD")
    }

    /// Creates a todo; `text` and `externID` go out unescaped.
    func create(_ externID: String, _ text: String = "text") async throws -> HTTPAnswer {
        try await send("POST", "/todos", #"{"extern_id":"\#(externID)","todo":"\#(text)"}"#)
    }

    /// Sends `request` and returns what came until the node ended the connection.
    func exchange(_ request: [UInt8]) async throws -> [UInt8] {
        let port = port
        return try await offPool { try Self.exchange(request, port: port) }
    }

    /// Reads while it writes: a node that answers before it has the whole request may not read the rest.
    private static func exchange(_ request: [UInt8], port: Int) throws -> [UInt8] {
        guard let descriptor = Loopback.connect(port) else { throw Failed.notConnected }
        defer { close(descriptor) }
        var rest = request[...]
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let deadline = ContinuousClock.now + .seconds(limitSeconds)
        while ContinuousClock.now < deadline {
            var state = pollfd(fd: descriptor, events: Int16(rest.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0)
            guard poll(&state, 1, 100) > 0 else { continue }
            if Int32(state.revents) & (POLLIN | POLLHUP | POLLERR) != 0 {
                let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
                if count > 0 { answer += chunk[..<count] }
                // A reset ends it too; whether all of the answer is there is for whoever takes it apart.
                if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { return answer }
            }
            if Int32(state.revents) & POLLOUT != 0, !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(
                        descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                }
                if count > 0 { rest = rest.dropFirst(count) }
                if count < 0, errno != EAGAIN, errno != EINTR { rest = [] }
            }
        }
        throw Failed.noEnd
    }
}

/// Runs what blocks on a thread that tasks do not share.
func offPool<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
    }
}

extension String {
    /// Every byte as a percent sign and two digits.
    var percentEncoded: String {
        utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
