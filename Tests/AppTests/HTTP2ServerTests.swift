import Foundation
import NIOCore
import NIOSSL
import Prometheus
import ServiceLifecycle
import Testing

@testable import AutoClusterSync

/// What clients may do to the server over HTTP/2, with connections that say things a proper client would not.
@Suite("The HTTP server over HTTP/2", .timeLimit(.minutes(1)))
struct HTTP2ServerTests {
    private let secure: SecureServer

    init() throws { secure = try SecureServer() }

    @Test("A connection of HTTP/2 without a request is closed, after GOAWAY")
    func idleHTTP2() async throws {
        var limits = HTTPLimits.short
        limits.stallTimeout = .seconds(2)
        try await secure.withHTTP2(limits: limits) { connection in
            try await connection.send(HTTP2Frames.opening())
            #expect(await connection.receive { HTTP2Frames.first(.goAway, in: $0)?.errorCode == 0 })
            // It does not answer the ping that came with it.
            #expect(await !connection.receive { _ in false })
        }
    }

    @Test("A stream whose client opens no window is reset, and the connection goes on")
    func closedWindow() async throws {
        let service = MemoryTodoService()
        service.fill(20_000, text: String(repeating: "x", count: 500))
        var limits = HTTPLimits.short
        // Long enough for the head to come in time, on a busy machine too.
        (limits.idleTimeout, limits.stallTimeout) = (.seconds(40), .seconds(8))
        try await secure.withHTTP2(service, limits: limits) { connection in
            try await connection.send(
                HTTP2Frames.opening(window: 0) + HTTP2Frames.head("GET", "/todos", stream: 1, end: true))
            #expect(await connection.receive { HTTP2Frames.first(.headers, in: $0)?.stream == 1 })
            #expect(await connection.receive { HTTP2Frames.first(.resetStream, in: $0)?.stream == 1 })
            #expect(service.pageCount < 79)
            try await connection.send(HTTP2Frames.head("HEAD", "/health/ready", stream: 3, end: true))
            #expect(await connection.receive { HTTP2Frames.parse($0).contains { $0.stream == 3 } })
        }
    }

    @Test("A header with too many fields is refused with 431, which is counted, and the connection goes on")
    func manyFields() async throws {
        let registry = Registry(MetricFamilies.all)
        let client = try secure.client("h2")
        try await withServer(tls: secure.context, metrics: registry) { port, _ in
            try await RawClient.connect(port: port, tls: client) { connection in
                let fields = (0...HTTPLimits().maximumHeaderCount).map { ("x-\($0)", "y") }
                try await connection.send(
                    HTTP2Frames.opening() + HTTP2Frames.head("GET", "/todos", fields, stream: 1, end: true))
                #expect(await connection.receive { HTTP2Frames.first(.headers, in: $0)?.stream == 1 })
                try await connection.send(HTTP2Frames.head("GET", "/todos", stream: 3, end: true))
                #expect(
                    await connection.receive { bytes in
                        HTTP2Frames.parse(bytes).contains { $0.stream == 3 && $0.flags & HTTP2Frames.endStream != 0 }
                    })
            }
        }
        #expect(registry.value(#"http_requests_total{operation="list-todos",status="431"}"#) == 1)
        #expect(registry.value(#"http_requests_total{operation="list-todos",status="200"}"#) == 1)
        #expect(registry.value("http_requests_in_flight") == 0)
    }

    @Test("Lists that nobody takes are refused when there are too many of them, and make room when their client leaves")
    func untakenLists() async throws {
        let service = MemoryTodoService()
        service.fill(300, text: String(repeating: "\u{1D11E}", count: 500))
        var limits = HTTPLimits()
        limits.maximumUnsentBytes = 8 << 20
        let client = try secure.client("h2")
        let streams = 100 as UInt32
        try await withServer(service, limits: limits, tls: secure.context) { port, _ in
            try await RawClient.connect(port: port, tls: client) { connection in
                try await connection.send(HTTP2Frames.opening(window: 0))
                for number in 0..<streams {
                    try await connection.send(
                        HTTP2Frames.head("GET", "/todos?limit=300", stream: 2 * number + 1, end: true))
                }
                #expect(
                    await connection.receive {
                        HTTP2Frames.parse($0).filter { $0.kind == HTTP2Frames.Kind.headers.rawValue }.count == streams
                    })
                // Each holds 0.6 MB, and 16 may read when the last place is taken.
                #expect((1...40).contains(service.pageCount), "\(service.pageCount) lists were read")
            }
            let deadline = ContinuousClock.now + .seconds(20)
            var status = ""
            while !status.hasPrefix("HTTP/1.1 200"), ContinuousClock.now < deadline {
                status = try await RawClient.connect(port: port, tls: secure.client()) { connection in
                    try await connection.send("HEAD /todos HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return try await connection.receiveAll()
                }
            }
            #expect(status.hasPrefix("HTTP/1.1 200"), "\(status)")
        }
    }

    @Test("A body that is not sent, or drips, is given up; the connection goes on")
    func slowBodies() async throws {
        var limits = HTTPLimits.short
        // Long enough for this client to go on in time, on a busy machine too.
        (limits.idleTimeout, limits.stallTimeout) = (.seconds(3), .seconds(8))
        try await secure.withHTTP2(limits: limits) { connection in
            try await connection.send(
                HTTP2Frames.opening() + HTTP2Frames.head("POST", "/todos", stream: 1, end: false))
            #expect(await connection.receive { HTTP2Frames.first(.resetStream, in: $0)?.stream == 1 })
            #expect(String(decoding: connection.bytes, as: UTF8.self).contains("\"status\":408"))
            try await connection.send(HTTP2Frames.head("POST", "/todos", stream: 3, end: false))
            let isAnswered = { (bytes: [UInt8]) in
                HTTP2Frames.parse(bytes).contains { $0.stream == 3 && $0.kind == HTTP2Frames.Kind.headers.rawValue }
            }
            let deadline = ContinuousClock.now + .seconds(20)
            while !isAnswered(connection.bytes), ContinuousClock.now < deadline {
                try await connection.send(HTTP2Frames.frame(.data, stream: 3, payload: [0x20]))
                try await Task.sleep(for: .milliseconds(50))
                // Each ping is answered, so that what came meanwhile is read.
                let count = HTTP2Frames.parse(connection.bytes).count
                try await connection.send(HTTP2Frames.frame(.ping, payload: Array(repeating: 1, count: 8)))
                _ = await connection.receive { HTTP2Frames.parse($0).count > count }
            }
            #expect(isAnswered(connection.bytes))
        }
    }

    @Test("A body without a length is read, and refused over its limit without waiting for its end")
    func bodiesWithoutLength() async throws {
        var limits = HTTPLimits()
        (limits.maximumBodyBytes, limits.lingerTimeout) = (1024, .milliseconds(100))
        try await secure.withHTTP2(limits: limits) { connection in
            let body = Array(#"{"extern_id":"a","todo":"x"}"#.utf8)
            try await connection.send(
                HTTP2Frames.opening() + HTTP2Frames.head("POST", "/todos", stream: 1, end: false)
                    + HTTP2Frames.frame(.data, flags: HTTP2Frames.endStream, stream: 1, payload: body))
            #expect(await connection.receive { String(decoding: $0, as: UTF8.self).contains("Z\"}") })
            try await connection.send(
                HTTP2Frames.head("POST", "/todos", stream: 3, end: false)
                    + HTTP2Frames.frame(.data, stream: 3, payload: Array(repeating: 0x20, count: 1025)))
            #expect(await connection.receive { String(decoding: $0, as: UTF8.self).contains("\"status\":413") })
            #expect(await connection.receive { HTTP2Frames.first(.resetStream, in: $0)?.stream == 3 })
        }
    }

    @Test("A request may have as many fields as the limit says, also with a body without a length")
    func fieldCount() async throws {
        var limits = HTTPLimits()
        limits.maximumHeaderCount = 3
        try await secure.withHTTP2(limits: limits) { connection in
            try await connection.send(HTTP2Frames.opening())
            for (count, stream, status) in [(3, 1, 400), (4, 3, 431)] as [(Int, UInt32, Int)] {
                try await connection.send(
                    HTTP2Frames.head("POST", "/todos", (1...count).map { ("x\($0)", "y") }, stream: stream, end: false)
                        + HTTP2Frames.frame(.data, flags: HTTP2Frames.endStream, stream: stream))
                #expect(
                    await connection.receive { String(decoding: $0, as: UTF8.self).contains("\"status\":\(status)") })
            }
        }
    }

    @Test("A client that opens streams only to reset them loses its connection (CVE-2023-44487)")
    func rapidReset() async throws {
        let service = MemoryTodoService()
        try await secure.withHTTP2(service) { connection in
            try? await connection.send(HTTP2Frames.opening())
            for number in 0..<1000 as Range<UInt32> {
                let stream = 2 * number + 1
                let reset = HTTP2Frames.frame(.resetStream, stream: stream, payload: [0, 0, 0, 8])
                let bytes = HTTP2Frames.head("GET", "/todos", stream: stream, end: true) + reset
                guard (try? await connection.send(bytes)) != nil else { break }
            }
            // ENHANCE_YOUR_CALM.
            #expect(await connection.receive { HTTP2Frames.first(.goAway, in: $0)?.errorCode == 11 })
            #expect(await !connection.receive { _ in false })
        }
        #expect(service.pageCount < 500)
    }

    @Test("A client with more streams at once than it was told it may have loses its connection")
    func tooManyStreams() async throws {
        var limits = HTTPLimits()
        limits.maximumStreams = 4
        try await secure.withHTTP2(limits: limits) { connection in
            try await connection.send(HTTP2Frames.opening())
            for number in 0..<5 as Range<UInt32> {
                try? await connection.send(HTTP2Frames.head("POST", "/todos", stream: 2 * number + 1, end: false))
            }
            // PROTOCOL_ERROR: the client was told the number.
            #expect(await connection.receive { HTTP2Frames.first(.goAway, in: $0)?.errorCode == 1 })
            #expect(await !connection.receive { _ in false })
        }
    }

    @Test("Streams at odds with the protocol end their connection, and nothing else")
    func brokenStreams() async throws {
        let head = HTTP2Frames.head("POST", "/todos", stream: 1, end: false)
        let trailer = HTTP2Frames.frame(
            .headers, flags: HTTP2Frames.endHeaders, stream: 1, payload: HTTP2Frames.literal("x", "y"))
        let end = HTTP2Frames.frame(
            .headers, flags: HTTP2Frames.endHeaders | HTTP2Frames.endStream, stream: 1,
            payload: HTTP2Frames.literal("x", "y"))
        let client = try secure.client("h2")
        var limits = HTTPLimits.short
        limits.stallTimeout = .seconds(1)
        try await withServer(limits: limits, tls: secure.context) { port, _ in
            for bytes in [
                head + trailer, head + end + end, head + trailer + trailer, head + head, end,
                HTTP2Frames.head("GET", "", stream: 1, end: true),
                HTTP2Frames.head("CONNECT", "/", stream: 1, end: true),
                HTTP2Frames.head("GET", "/", [("connection", "close")], stream: 1, end: true),
                HTTP2Frames.head("GET", "/", [("transfer-encoding", "chunked")], stream: 1, end: true),
                HTTP2Frames.head("GET", "/", [("X", "y")], stream: 1, end: true),
                HTTP2Frames.head("GET", "/", [("a", "b\r\nc: d")], stream: 1, end: true),
                HTTP2Frames.head("GET", "/", [(":path", "/b")], stream: 1, end: true),
                HTTP2Frames.head("POST", "/todos", [("content-length", "5")], stream: 1, end: true),
                HTTP2Frames.head("POST", "/todos", [("content-length", "-5")], stream: 1, end: false),
                HTTP2Frames.frame(.headers, flags: 4, stream: 1, payload: [0xff, 0xff, 0xff, 0xff, 0xff]),
                HTTP2Frames.frame(.data, stream: 0, payload: [1]),
                HTTP2Frames.frame(.windowUpdate, payload: [0, 0, 0, 0]),
                HTTP2Frames.frame(.settings, payload: [0, 4, 0xff, 0xff, 0xff, 0xff]),
                HTTP2Frames.frame(.continuation, stream: 1), Array(repeating: 0xff, count: 64),
            ] {
                try await RawClient.connect(port: port, tls: client) { connection in
                    try? await connection.send(HTTP2Frames.opening() + bytes)
                    #expect(await !connection.receive { _ in false })
                }
            }
            try await RawClient.connect(port: port, tls: client) { connection in
                try await connection.send(
                    HTTP2Frames.opening() + HTTP2Frames.head("GET", "/health/ready", stream: 1, end: true))
                #expect(await connection.receive { String(decoding: $0, as: UTF8.self).contains("ready\"}") })
            }
        }
    }

    @Test("A shutdown says GOAWAY, finishes the request that has begun, and takes no more")
    func gracefulShutdown() async throws {
        let client = try secure.client("h2")
        try await withServer(tls: secure.context) { port, group in
            try await RawClient.connect(port: port, tls: client) { connection in
                let body = Array(#"{"extern_id":"a","todo":"x"}"#.utf8)
                try await connection.send(
                    HTTP2Frames.opening() + HTTP2Frames.head("POST", "/todos", stream: 1, end: false)
                        + HTTP2Frames.frame(.ping, payload: Array(repeating: 7, count: 8)))
                #expect(await connection.receive { HTTP2Frames.first(.ping, in: $0)?.flags == 1 })
                await group.triggerGracefulShutdown()
                #expect(await connection.receive { HTTP2Frames.first(.goAway, in: $0)?.errorCode == 0 })
                let pings = HTTP2Frames.parse(connection.bytes).filter { $0.kind == 6 && $0.flags == 0 }
                try await connection.send(
                    pings.flatMap { HTTP2Frames.frame(.ping, flags: 1, payload: $0.payload) }
                        + HTTP2Frames.frame(.data, flags: HTTP2Frames.endStream, stream: 1, payload: body))
                #expect(await connection.receive { String(decoding: $0, as: UTF8.self).contains("Z\"}") })
                #expect(await !connection.receive { _ in false })
            }
        }
    }
}
