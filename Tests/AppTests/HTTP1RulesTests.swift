import Foundation
import Testing

@testable import AutoClusterSync

@Suite("What HTTP/1 asks of a connection", .timeLimit(.minutes(1)))
struct HTTP1RulesTests {
    private static let path = "GET /health/ready HTTP/1.1\r\nHost: x\r\n"

    @Test(
        "A connection that does not go on is closed after the answer, which says so",
        arguments: [
            "GET /health/ready HTTP/1.0\r\n\r\n", "GET /health/ready HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET /todos HTTP/1.0\r\n\r\n", "\(path)Connection: close, TE\r\n\r\n", "\(path)Connection: Close\r\n\r\n",
            "\(path)Connection: keep-alive\r\nConnection: close\r\n\r\n",
            "\(path)Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            "\(path)Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n",
            "HEAD /todos HTTP/1.0\r\n\r\n",
            "POST /todos HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
        ])
    func closing(request: String) async throws {
        let service = MemoryTodoService()
        service.fill(300, text: "x")
        try await withServer(service) { port, _ in
            try await RawClient.connect(port: port) { connection in
                let start = ContinuousClock.now
                try await connection.send(request)
                let answer = try await connection.receiveAll()
                #expect(ContinuousClock.now - start < .seconds(20), "not by the idle timeout")
                let version = request.contains("HTTP/1.0") ? "HTTP/1.0 " : "HTTP/1.1 "
                let head = answer.components(separatedBy: "\r\n\r\n")[0].lowercased()
                #expect(answer.hasPrefix(version) && head.contains("connection: close"), "\(answer.prefix(300))")
                #expect(!(request.contains("HTTP/1.0") && head.contains("transfer-encoding")))
                if request.hasPrefix("GET /todos") { #expect(answer.hasSuffix("}]")) }
            }
        }
    }

    @Test(
        "A connection that goes on does, and its answers do not say otherwise",
        arguments: ["", "Connection: keep-alive\r\n"])
    func goingOn(field: String) async throws {
        try await withServer { port, _ in
            try await RawClient.connect(port: port) { connection in
                for _ in 0..<3 {
                    try await connection.send("\(Self.path)\(field)\r\n")
                    let answer = try #require(try await connection.receive(until: "ready\"}"))
                    #expect(answer.hasPrefix("HTTP/1.1 200") && !answer.lowercased().contains("connection: close"))
                }
            }
        }
    }

    @Test("A client that waits to be told to send its body is told once, after the answers before it")
    func toldToContinue() async throws {
        try await withServer { port, _ in
            try await RawClient.connect(port: port) { connection in
                let body = #"{"extern_id":"a","todo":"x"}"#
                for fields in ["Content-Length: \(body.utf8.count)", "Transfer-Encoding: chunked"] {
                    let head = "POST /todos HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n\(fields)\r\n\r\n"
                    try await connection.send("\(Self.path)\r\n" + head)
                    let answer = try #require(try await connection.receive(until: "100 Continue\r\n\r\n"))
                    #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix("}HTTP/1.1 100 Continue\r\n\r\n"))
                    let isChunked = fields.hasPrefix("T")
                    let size = String(body.utf8.count, radix: 16)
                    try await connection.send(isChunked ? "\(size)\r\n\(body)\r\n0\r\n\r\n" : body)
                    let end = try #require(try await connection.receive(until: "}"))
                    #expect(end.hasPrefix(isChunked ? "HTTP/1.1 409" : "HTTP/1.1 201"), "\(end)")
                }
            }
        }
    }

    @Test(
        "Nobody is told to send a body that is not read",
        arguments: [
            ("POST /todos HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n", "413"),
            ("POST /todos HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", "400"),
            ("POST /nope HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "404"),
            (
                "POST /todos HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\n"
                    + "Content-Length: 2\r\n\r\n", "415"
            ),
            ("\(path)Expect: 100-continue\r\n\r\n", "200"), ("\(path)Expect: something\r\n\r\n", "200"),
            ("GET /health/ready HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "200"),
        ])
    func notTold(request: String, status: String) async throws {
        try await withServer { port, _ in
            try await RawClient.connect(port: port) { connection in
                try await connection.send(request)
                let answer = try #require(try await connection.receive(until: "}"))
                #expect(answer.dropFirst("HTTP/1.1 ".count).hasPrefix(status), "\(answer)")
            }
        }
    }

    @Test(
        "What names no host, or several, or none that can be one, or has a coding besides chunks, is refused, and nothing after it is answered",
        arguments: [
            "GET /health/ready HTTP/1.1\r\n\r\n", "GET /health/ready HTTP/1.1\r\nHost: a b/c?d, e\r\n\r\n",
            "\(path)Host: x\r\n\r\n", "\(path)host: y\r\n\r\n",
            "POST /todos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST /todos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /todos HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HEAD /health/ready HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
            "POST /todos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ])
    func refused(request: String) async throws {
        try await withServer { port, _ in
            try await RawClient.connect(port: port) { connection in
                try await connection.send("\(Self.path)\r\n\(request)\(Self.path)\r\n")
                let answers = try await connection.receiveAll().components(separatedBy: "HTTP/1.1 ")
                let status = request.contains("gzip") ? "501" : "400"
                #expect(answers.dropFirst().map { String($0.prefix(3)) } == ["200", status], "\(answers)")
                #expect(answers.last?.contains("Date: ") == true)
                let isHead = request.hasPrefix("HEAD")
                #expect(answers.last?.hasSuffix("\"}") == !isHead && answers.last?.hasSuffix("\r\n\r\n") == isHead)
            }
        }
    }

    @Test("Nobody without a token is told to send a body, and the connection ends, since it may not come")
    func strangerNotTold() async throws {
        let tokens = try AccessTokens([try #require(AccessToken("first-of-the-tokens"))])
        try await withServer(tokens: tokens) { port, _ in
            try await RawClient.connect(port: port) { connection in
                try await connection.send(
                    "POST /todos HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
                let answer = try await connection.receiveAll()
                #expect(answer.hasPrefix("HTTP/1.1 401") && answer.contains("Connection: close"), "\(answer)")
            }
        }
    }

    @Test("A host is a name or an address, and perhaps a port")
    func hosts() {
        for host in ["", "x", "a.b", "a:1", "a:", "127.0.0.1:8080", "[::1]", "[::1]:80", "a%20b", "a,b", ":80"] {
            #expect(HostField.isSound(host), "\(host)")
        }
        for host in [
            "a b", "a/b", "a?b", "a#b", "u@a", "a:b", "a:1:2", "[::1", "[]", "[::1]x", "é", "a%2", "a%zz", "\"a\"",
        ] {
            #expect(!HostField.isSound(host), "\(host)")
        }
    }

    @Test("An empty host is one, and HTTP/1.0 needs none")
    func emptyHost() async throws {
        try await withServer { port, _ in
            for request in ["GET /health/ready HTTP/1.1\r\nHost:\r\n\r\n", "GET /health/ready HTTP/1.0\r\n\r\n"] {
                try await RawClient.connect(port: port) { connection in
                    try await connection.send(request)
                    #expect(try await connection.receive(until: "}")?.contains(" 200 OK") == true)
                }
            }
        }
    }
}
