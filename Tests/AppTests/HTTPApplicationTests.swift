import CoreMetrics
import Foundation
import NIOCore
import NIOSSL
import Runtime
import ServiceLifecycle
import Testing

@testable import AutoClusterSync

@Suite("The HTTP server", .timeLimit(.minutes(1)))
struct HTTPApplicationTests {
    @Test("Port 0 takes a free one and tells which; requests follow each other on one connection")
    func keepAlive() async throws {
        try await withServer { port, _ in
            #expect(port > 0)
            try await RawClient.connect(port: port) { connection in
                for _ in 0..<3 {
                    try await connection.send("GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
                    let answer = try await connection.receive(until: "ready\"}")
                    #expect(answer?.hasPrefix("HTTP/1.1 200 OK\r\n") == true)
                    #expect(answer?.contains("Date: ") == true && answer?.contains("GMT\r\n") == true)
                }
            }
        }
    }

    @Test("A client that wants the connection closed gets that", arguments: ["close", "Close"])
    func connectionClose(wish: String) async throws {
        try await withServer { port, _ in
            let answer = try await RawClient.connect(port: port) { connection in
                try await connection.send("GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: \(wish)\r\n\r\n")
                return try await connection.receiveAll()
            }
            #expect(answer.hasSuffix("ready\"}"))
        }
    }

    @Test(
        "An answer that is the last of its connection is whole, however slowly it is taken",
        arguments: ["HTTP/1.0\r\n", "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"])
    func slowLastAnswer(version: String) async throws {
        let service = MemoryTodoService()
        service.fill(1000, text: String(repeating: "x", count: 8000))
        var limits = HTTPLimits()
        limits.lingerTimeout = .milliseconds(50)
        try await withServer(service, limits: limits) { port, _ in
            try await RawClient.connect(port: port, receiveBufferBytes: 65_536) { connection in
                try await connection.send("GET /todos?limit=1000 \(version)\r\n")
                // Far beyond the time for which a connection without more to send is kept.
                while service.pageCount == 0 { try await Task.sleep(for: .milliseconds(10)) }
                try await Task.sleep(for: .milliseconds(500))
                let answer = try await connection.receiveAll()
                #expect(answer.isWholeList, "\(answer.utf8.count)")
            }
        }
    }

    @Test("A shutdown does not cut off an answer that is on its way")
    func shutdownWhileAnswering() async throws {
        let service = MemoryTodoService()
        service.fill(1000, text: String(repeating: "x", count: 8000))
        // On a busy machine client and server may need longer than a node gives them.
        var limits = HTTPLimits()
        limits.lingerTimeout = .seconds(50)
        try await withServer(service, limits: limits, drainLimit: .seconds(50)) { port, group in
            try await RawClient.connect(port: port, receiveBufferBytes: 65_536) { connection in
                try await connection.send("GET /todos?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(await connection.receive { !$0.isEmpty })
                await group.triggerGracefulShutdown()
                try await Task.sleep(for: .milliseconds(200))
                let answer = try await connection.receiveAll()
                #expect(answer.isWholeList, "\(answer.utf8.count)")
            }
        }
    }

    @Test(
        "A client that stops sending its body is told so, by whichever limit comes first",
        arguments: [(Duration.milliseconds(300), TimeAmount.seconds(50)), (.seconds(50), .seconds(2))])
    func silentBodies(body: Duration, idle: TimeAmount) async throws {
        var limits = HTTPLimits()
        (limits.bodyTimeout, limits.idleTimeout, limits.lingerTimeout) = (body, idle, .milliseconds(100))
        try await withServer(limits: limits) { port, _ in
            for begun in ["", "{"] {
                try await RawClient.connect(port: port) { connection in
                    try await connection.send("POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n\(begun)")
                    let answer = try await connection.receiveAll()
                    #expect(answer.hasPrefix("HTTP/1.1 408") && answer.contains("Connection: close"), "\(answer)")
                }
            }
        }
    }

    @Test("HEAD answers as GET without the body, also for long lists, and the connection goes on")
    func head() async throws {
        let service = MemoryTodoService()
        try await withServer(service) { port, _ in
            for count in [0, 300] {
                for number in 0..<count { _ = try service.create(externID: "\(number)", text: "x") }
                try await RawClient.connect(port: port) { connection in
                    for path in ["/todos", "/health/ready", "/health/info", "/nope", "/todos/1"] {
                        try await connection.send("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                        try await connection.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                        let end = path == "/todos" && count > 0 ? "\r\n0\r\n\r\n" : "\(path == "/todos" ? "]" : "}")"
                        var text = try #require(try await connection.receive(until: end))
                        let parts = text.components(separatedBy: "HTTP/1.1 ")
                        #expect(parts.count == 3 && parts[0].isEmpty)
                        #expect(parts[1].hasSuffix("\r\n\r\n"), "\(path): \(parts[1])")
                        text = parts[2].components(separatedBy: "\r\n\r\n")[0] + "\r\n\r\n"
                        #expect(parts[1].withoutDate == text.withoutDate, "\(path)")
                    }
                }
            }
        }
    }

    @Test("A long list is sent in chunks and is whole")
    func streaming() async throws {
        let service = MemoryTodoService()
        service.fill(2000, text: "x")
        try await withServer(service) { port, _ in
            let answer = try await RawClient.connect(port: port) { connection in
                try await connection.send("GET /todos HTTP/1.1\r\nHost: x\r\n\r\n")
                return try await connection.receive(until: "\r\n0\r\n\r\n")
            }
            let parts = try #require(answer).components(separatedBy: "\r\n\r\n")
            #expect(parts[0].hasPrefix("HTTP/1.1 200 OK") && parts[0].contains("transfer-encoding: chunked"))
            // Sizes and data take turns, and no text here holds a line break.
            let lines = parts[1].components(separatedBy: "\r\n")
            let text = stride(from: 1, to: lines.count, by: 2).map { lines[$0] }.joined()
            #expect((try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [Any])?.count == 2000)
        }
    }

    @Test("A chunked body is read, and refused over 1 MiB without waiting for its end")
    func chunked() async throws {
        try await withServer { port, _ in
            let head =
                "POST /todos HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await RawClient.connect(port: port) { connection in
                try await connection.send(
                    head + "11\r\n{\"extern_id\":\"a\",\r\na\r\n\"todo\":\"x\"\r\n1\r\n}\r\n0\r\n\r\n")
                #expect(try await connection.receive(until: "Z\"}")?.hasPrefix("HTTP/1.1 201") == true)
            }
            try await RawClient.connect(port: port) { connection in
                try await connection.send(head)
                for _ in 0..<17 {
                    try await connection.send("10000\r\n" + String(repeating: " ", count: 65536) + "\r\n")
                }
                let answer = try await connection.receiveAll()
                #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("Connection: close"))
            }
        }
    }

    @Test("A body that says it is too large is refused before it is sent, and the connection ends")
    func declaredTooLarge() async throws {
        try await withServer { port, _ in
            for (method, path, status) in [
                ("POST", "/todos", "413"), ("DELETE", "/todos/1", "404"), ("POST", "/nope", "404"),
            ] {
                try await RawClient.connect(port: port) { connection in
                    try await connection.send(
                        "\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")
                    let answer = try await connection.receiveAll()
                    #expect(answer.hasPrefix("HTTP/1.1 \(status)") && answer.contains("Connection: close"))
                    #expect(answer.contains("application/problem+json"))
                }
            }
        }
    }

    @Test(
        "What is no HTTP is refused",
        arguments: ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n"])
    func noHTTP(text: String) async throws {
        try await withServer { port, _ in
            let answer = try await RawClient.connect(port: port) { connection in
                try await connection.send(text)
                return try await connection.receiveAll()
            }
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"))
        }
    }

    @Test("Headers without end are refused")
    func longHeaders() async throws {
        try await withServer { port, _ in
            for head in [
                "X: " + String(repeating: "a", count: 20_000) + "\r\n", String(repeating: "X: y\r\n", count: 200),
                String(repeating: "X: " + String(repeating: "a", count: 10_000) + "\r\n", count: 10),
            ] {
                let answer = try await RawClient.connect(port: port) { connection in
                    try await connection.send("GET /health/ready HTTP/1.1\r\nHost: x\r\n" + head + "\r\n")
                    return try await connection.receiveAll()
                }
                #expect(!answer.contains(" 200 "), "\(answer)")
            }
        }
    }

    @Test("Clients that say nothing, stop in the middle, or drip are cut off")
    func slowClients() async throws {
        var limits = HTTPLimits()
        (limits.idleTimeout, limits.stallTimeout) = (.seconds(1), .milliseconds(2500))
        (limits.bodyTimeout, limits.lingerTimeout) = (.milliseconds(500), .milliseconds(100))
        let start = ContinuousClock.now
        try await withServer(limits: limits) { port, _ in
            let post = "POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
            for text in ["", "GET /health", "GET /todos HTTP/1.1\r\nX: ", post, post + "{"] {
                try await RawClient.connect(port: port) { connection in
                    // On a busy machine the server may have given this client up before it says anything.
                    if !text.isEmpty { try? await connection.send(text) }
                    let answer = try await connection.receiveAll()
                    #expect(!answer.contains(" 200 "))
                }
            }
            try await RawClient.connect(port: port) { connection in
                try await connection.send(post)
                let answer = try await connection.receive(
                    until: "\r\n", whileSending: " ", every: .milliseconds(100))
                #expect(answer?.hasPrefix("HTTP/1.1 408") == true)
            }
        }
        // With the default limits it would take minutes.
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test("A client that takes nothing of its answer is cut off, and does not hold up the shutdown")
    func stalledReader() async throws {
        let service = MemoryTodoService()
        service.fill(20_000, text: String(repeating: "x", count: 500))
        var limits = HTTPLimits()
        // Long enough for this client to ask in time, on a busy machine too.
        limits.stallTimeout = .seconds(2)
        try await withServer(service, limits: limits) { port, _ in
            try await RawClient.connect(port: port) { connection in
                try await connection.send("GET /todos HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await stops { service.pageCount } < 79)
            }
        }
    }

    @Test("A client that reads slowly, but steadily, gets all, however long that takes")
    func slowReader() async throws {
        let service = MemoryTodoService()
        service.fill(1000, text: String(repeating: "\u{1}", count: 500))
        var limits = HTTPLimits()
        limits.stallTimeout = .milliseconds(2500)
        try await withServer(service, limits: limits) { port, _ in
            let text = try await Blocking.run {
                try SlowReader.read("/todos?limit=1000", port: UInt16(port), bytes: 10 << 10, every: .milliseconds(20))
            }
            #expect(text.hasPrefix("HTTP/1.1 200") && text.hasSuffix("]\r\n0\r\n\r\n"))
            #expect(text.utf8.count > 3_000_000)
        }
    }

    @Test("A shutdown finishes the request that has begun, and takes no more")
    func gracefulShutdown() async throws {
        try await withServer { port, group in
            try await RawClient.connect(port: port) { connection in
                try await connection.send(
                    "POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: 28\r\n\r\n{\"extern_id\":\"a\"")
                // The server has the head when another request, sent later, was answered.
                try await RawClient.connect(port: port) { other in
                    try await other.send("GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = try await other.receive(until: "ready\"}")
                    try await Task.sleep(for: .milliseconds(200))
                    await group.triggerGracefulShutdown()
                    #expect(try await other.receiveAll().isEmpty)
                }
                try await connection.send(",\"todo\":\"x\"}")
                let answer = try await connection.receiveAll()
                #expect(answer.hasPrefix("HTTP/1.1 201"), "\(answer)")
            }
            await #expect(throws: (any Error).self) {
                try await RawClient.connect(port: port) { connection in
                    try await connection.send("GET / HTTP/1.1\r\n\r\n")
                    guard try await connection.receive(until: "HTTP") != nil else { throw CancellationError() }
                }
            }
        }
    }

    @Test("An address that cannot be bound is one sentence that names it")
    func portInUse() async throws {
        try await withServer { port, _ in
            let error = await #expect(throws: HTTPApplicationError.self) {
                try await ServiceGroup(services: [application(port: UInt16(port))], logger: .silent).run()
            }
            #expect(error?.description == "cannot listen for HTTP on 127.0.0.1:\(port): address already in use")
        }
        for host in ["192.0.2.1", "no-such-host.invalid"] {
            let error = await #expect(throws: HTTPApplicationError.self) {
                try await application(host: host, port: 0).run()
            }
            #expect(error?.description.hasPrefix("cannot listen for HTTP on \(host):0: ") == true)
        }
    }

    @Test("Many clients at once are all answered")
    func concurrency() async throws {
        try await withServer { port, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<32 {
                    group.addTask {
                        try await RawClient.connect(port: port) { connection in
                            for number in 0..<20 {
                                let body = #"{"extern_id":"\#(client)-\#(number)","todo":"x"}"#
                                try await connection.send(
                                    "POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                                )
                                #expect(try await connection.receive(until: "Z\"}")?.hasPrefix("HTTP/1.1 201") == true)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

extension String {
    fileprivate var withoutDate: String {
        components(separatedBy: "\r\n").filter { !$0.hasPrefix("Date: ") }.joined(separator: "\r\n")
    }
}
