import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import Prometheus
import Runtime
import ServiceLifecycle
import TestSupport
import Testing

@testable import AutoClusterSync

/// What clients may do to the server over TLS, with connections that say things a proper client would not.
@Suite("The HTTP server over TLS", .timeLimit(.minutes(1)))
struct SecureServerTests {
    private let secure: SecureServer

    init() throws { secure = try SecureServer() }

    @Test("HTTP/1.1 is spoken with a client that asks for it, or for nothing", arguments: ["http/1.1", nil])
    func http1(alpn: String?) async throws {
        let client = try secure.client(alpn)
        try await withServer(tls: secure.context) { port, _ in
            try await RawClient.connect(port: port, tls: client) { connection in
                for _ in 0..<3 {
                    try await connection.send("GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
                    let answer = try await connection.receive(until: "ready\"}")
                    #expect(answer?.hasPrefix("HTTP/1.1 200 OK\r\n") == true && answer?.contains("Date: ") == true)
                }
                try await connection.send("HEAD /todos HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n")
                let answer = try await connection.receiveAll()
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\n"))
            }
        }
    }

    @Test("A client that does not finish its handshake is cut off, whatever it has said of it")
    func unfinishedHandshakes() async throws {
        var limits = HTTPLimits()
        limits.handshakeTimeout = .milliseconds(300)
        let start = ContinuousClock.now
        try await withServer(limits: limits, tls: secure.context) { port, _ in
            for bytes in [[], [0x16], [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] as [[UInt8]] {
                try await RawClient.connect(port: port) { connection in
                    if !bytes.isEmpty { try? await connection.send(bytes) }
                    let answer = try await connection.receiveAll()
                    #expect(answer.isEmpty)
                }
            }
        }
        // With the default limits it would take 30 s.
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test(
        "What is no TLS is closed at once",
        arguments: ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\0\0\0\0\0"])
    func noTLS(text: String) async throws {
        try await withServer(tls: secure.context) { port, _ in
            let received = try await RawClient.connect(port: port) { connection in
                try await connection.send(text)
                return try await connection.receiveAll()
            }
            #expect(!received.contains("HTTP"))
        }
    }

    @Test("Clients of HTTP/1.1 that say nothing, stop in the middle, or take nothing are cut off")
    func slowHTTP1Clients() async throws {
        let service = MemoryTodoService()
        service.fill(20_000, text: String(repeating: "x", count: 500))
        let limits = HTTPLimits.short
        let client = try secure.client("http/1.1")
        try await withServer(service, limits: limits, tls: secure.context) { port, _ in
            for text in ["", "GET /health", "POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"] {
                try await RawClient.connect(port: port, tls: client) { connection in
                    if !text.isEmpty { try? await connection.send(text) }
                    let answer = try await connection.receiveAll()
                    #expect(!answer.contains(" 200 "))
                }
            }
            try await RawClient.connect(port: port, tls: client) { connection in
                try await connection.send("GET /todos HTTP/1.1\r\nHost: x\r\n\r\n")
                let count = try await stops { service.pageCount }
                #expect(count < 79)
            }
        }
    }

    @Test("An answer that is the last of its connection is whole, however slowly it is taken")
    func slowLastAnswer() async throws {
        let service = MemoryTodoService()
        service.fill(1000, text: String(repeating: "x", count: 8000))
        var limits = HTTPLimits()
        limits.lingerTimeout = .milliseconds(50)
        let client = try secure.client("http/1.1")
        try await withServer(service, limits: limits, tls: secure.context) { port, _ in
            try await RawClient.connect(port: port, tls: client, receiveBufferBytes: 65_536) { connection in
                try await connection.send("GET /todos?limit=1000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while service.pageCount == 0 { try await Task.sleep(for: .milliseconds(10)) }
                try await Task.sleep(for: .milliseconds(500))
                let answer = try await connection.receiveAll()
                #expect(answer.isWholeList, "\(answer.utf8.count)")
            }
        }
    }

    @Test(
        "Clients that finish nothing do not hold up the shutdown beyond its limit", arguments: ["h2", "http/1.1", nil])
    func shutdownLimit(alpn: String?) async throws {
        let service = MemoryTodoService()
        service.fill(20_000, text: String(repeating: "x", count: 500))
        let client = try secure.client(alpn)
        let hasEnded = NIOLockedValueBox(false)
        try await withServer(service, tls: secure.context, onEnd: { hasEnded.withLockedValue { $0 = true } }) {
            port, group in
            let body: @Sendable (inout RawClient.Connection) async throws -> Void = { connection in
                switch alpn {
                case "h2":
                    try await connection.send(
                        HTTP2Frames.opening(window: 0) + HTTP2Frames.head("GET", "/todos", stream: 1, end: true))
                    #expect(await connection.receive { HTTP2Frames.first(.headers, in: $0) != nil })
                case .some:
                    try await connection.send("GET /todos HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = try await stops { service.pageCount }
                // A client that has only connected.
                case nil: break
                }
                await group.triggerGracefulShutdown()
                let deadline = ContinuousClock.now + .seconds(10)
                while !hasEnded.withLockedValue({ $0 }), ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(hasEnded.withLockedValue { $0 })
            }
            if alpn == nil {
                try await RawClient.connect(port: port, body)
            } else {
                try await RawClient.connect(port: port, tls: client, body)
            }
        }
    }

    @Test("A client without a certificate of the CA gets no further than the handshake")
    func clientCertificates() async throws {
        let certificates = secure.certificates
        for name in ["clients", "others"] { try certificates.selfSigned(name) }
        for (name, ca) in [("friend", "clients"), ("stranger", "others")] {
            try certificates.openssl(
                [
                    "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-newkey", "rsa:2048",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-CA", certificates.path("\(ca).pem"), "-CAkey",
                    certificates.path("\(ca).key"), "-keyout", certificates.path("\(name).key"), "-out",
                    certificates.path("\(name).pem"),
                ])
        }
        let files = Settings.TLSFiles(
            certificate: certificates.path("server.pem"), key: certificates.path("server.key"),
            clientCA: certificates.path("clients.pem"))
        try await withServer(tls: LockedBox(try TLSContext.load(files).context)) { port, _ in
            for (name, isLetIn) in [("friend", true), ("stranger", false), (nil, false)] {
                var configuration = TLSConfiguration.makeClientConfiguration()
                configuration.trustRoots = .file(certificates.path("server.pem"))
                configuration.certificateVerification = .noHostnameVerification
                if let name {
                    configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificates.path("\(name).pem"))
                        .map { .certificate($0) }
                    configuration.privateKey = .privateKey(
                        try NIOSSLPrivateKey(file: certificates.path("\(name).key"), format: .pem))
                }
                let client = try NIOSSLContext(configuration: configuration)
                try await RawClient.connect(port: port, tls: client) { connection in
                    try? await connection.send("GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    let answer = (try? await connection.receiveAll()) ?? ""
                    #expect(answer.hasPrefix("HTTP/1.1 200") == isLetIn, "\(name ?? "nobody"): \(answer)")
                }
            }
        }
    }
}
