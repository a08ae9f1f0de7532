import CSockets
import Foundation
import Keys
import Testing
import Transport

@testable import TransportUDP

/// What arrives from others than nodes, and what others can see.
@Suite("Hostile and foreign traffic", .serialized)
struct HostileTests {
    private static let keyBytes = [UInt8](1...32)

    @Test("10,000 random and mutated packets do no harm", arguments: [false, true])
    func randomPackets(isKeyed: Bool) async throws {
        let key = isKeyed ? try ClusterKey(Self.keyBytes) : nil
        try await withTransports([key, key]) { nodes in
            let socket = try RawSocket()
            var generator = SeededGenerator(seed: 3)
            let start = ContinuousClock.now
            let valid = PacketCodec.encode([[8, 1, 2], [0xd1, 3], [4] + [UInt8](repeating: 1, count: 60)])
            let seal = key.map(PacketSeal.init)
            for round in 0..<10_000 {
                var bytes = seal?.seal(valid) ?? valid
                if round % 2 == 0 {
                    bytes = (0..<Int.random(in: 0..<100, using: &generator)).map { _ in
                        .random(in: 0...255, using: &generator)
                    }
                } else {
                    for _ in 0..<3 {
                        bytes[Int.random(in: bytes.indices, using: &generator)] ^= .random(
                            in: 1...255, using: &generator)
                    }
                    bytes.removeLast(Int.random(in: 0..<10, using: &generator))
                }
                socket.send(bytes, to: nodes[0].boundAddress)
                if round % 50 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            }
            nodes[1].send([8, 77], on: .membership, to: nodes[0].boundAddress)
            await waitUntil { nodes[0].arrivals(on: .membership).takeNow().contains { $0.message == [8, 77] } }
            if isKeyed { #expect(nodes[0].arrivals(on: .replication).takeNow().isEmpty) }
            // Each refusal once, and each of a few causes once a second, however long the machine takes.
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(Double(nodes[0].events.takeNow().count) < 20 + 4 * seconds)
        }
    }

    @Test("A captured packet shows nothing of the message, and does not open when changed")
    func capture() async throws {
        let key = try ClusterKey(Self.keyBytes)
        try await withTransports([key, key]) { nodes in
            let socket = try RawSocket()
            let secret = Array("a secret text that nobody may read".utf8)
            nodes[0].send(secret, on: .replication, to: socket.address)
            var packet: [UInt8] = []
            await waitUntil {
                packet = socket.receive()
                return !packet.isEmpty
            }
            #expect(packet.first == 2 && packet.count == secret.count + 1 + PacketSeal.overheadBytes)
            for start in 0..<(secret.count - 4) {
                #expect(!packet.indices.contains { packet[$0...].starts(with: secret[start..<(start + 4)]) })
            }
            socket.send(packet, to: nodes[1].boundAddress)
            await waitUntil { nodes[1].arrivals(on: .replication).takeNow().contains { $0.message == secret } }
            packet[40] ^= 1
            socket.send(packet, to: nodes[1].boundAddress)
            await waitUntil { nodes[1].events.takeNow().contains(.refused(.otherKey, socket.address)) }
            #expect(nodes[1].arrivals(on: .replication).takeNow().isEmpty)
        }
    }

    @Test("In clear, messages are memberlist's bytes")
    func clearBytes() async throws {
        try await withTransports([nil]) { nodes in
            let socket = try RawSocket()
            nodes[0].send([8, 1], on: .membership, to: socket.address)
            var packet: [UInt8] = []
            await waitUntil {
                packet = socket.receive()
                return !packet.isEmpty
            }
            #expect(packet == [8, 1])
        }
    }

    @Test("Random bytes on connections do no harm", arguments: [false, true])
    func randomStreams(isKeyed: Bool) async throws {
        let key = isKeyed ? try ClusterKey(Self.keyBytes) : nil
        try await withTransports([key, key]) { nodes in
            var generator = SeededGenerator(seed: 9)
            for round in 0..<300 {
                let starts: [[UInt8]] = [[0xd4, 1, 1, 1], [0xd8, 1, 1], [8], [0xff], []]
                let bytes = starts[round % 5] + (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) }
                RawStream(nodes[0].boundAddress)?.write(bytes)
            }
            await waitUntil { await Self.works(from: nodes[1], to: nodes[0]) }
        }
    }

    @Test(
        "What listens there may be something else",
        arguments: [
            ([UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), ExchangeError.otherTransport),
            ([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f], .otherTransport), ([0xd4, 9], .otherVersion),
            ([0xdf, 2], .otherVersion), ([0xdf, 1], .otherKey),
        ])
    func foreignServer(answer: [UInt8], expected: ExchangeError) async throws {
        for isKeyed in [false, true] where !(isKeyed && answer[0] == 0xd4) {
            let server = try RawServer(answer)
            try await withTransports([isKeyed ? try ClusterKey(Self.keyBytes) : nil]) { nodes in
                do throws(ExchangeError) {
                    _ = try await nodes[0].exchange(on: .replication, with: server.address)
                    Issue.record("an exchange with something else")
                } catch {
                    #expect(error == expected)
                }
            }
        }
    }

    @Test("A clear memberlist stream to a node with a key is answered with memberlist's error")
    func memberlistError() async throws {
        try await withTransports([try ClusterKey(Self.keyBytes)]) { nodes in
            let stream = try #require(RawStream(nodes[0].boundAddress))
            stream.write([8, 0, 0, 0, 1, 5])
            var answer: [UInt8] = []
            await waitUntil {
                answer += stream.read()
                return String(decoding: answer, as: UTF8.self).contains("remote state is not encrypted")
            }
            #expect(answer.starts(with: [0x0d, 0x81, 0xa5]))
        }
    }

    @Test("An unknown version is refused with a reason")
    func otherVersion() async throws {
        try await withTransports([nil]) { nodes in
            let stream = try #require(RawStream(nodes[0].boundAddress))
            stream.write([0xd4, 2, 9, 1])
            var answer: [UInt8] = []
            await waitUntil {
                answer += stream.read()
                return answer == [0xdf, 2]
            }
        }
    }

    @Test("A message that was written in two parts arrives, although the peer does not end its stream")
    func lateEnd() async throws {
        try await withTransports([nil], membershipStreamEnd: LookCounter(messageBytes: 100_000).end) { nodes in
            let stream = try #require(RawStream(nodes[0].boundAddress))
            stream.write([UInt8](repeating: 8, count: 99_999))
            try await Task.sleep(for: .milliseconds(100))
            stream.write([9])
            var exchanges: [any Exchange] = []
            await waitUntil {
                exchanges += nodes[0].exchanges(on: .membership).takeNow()
                return !exchanges.isEmpty
            }
            #expect(try await exchanges.first?.receive()?.count == 100_000)
        }
    }

    @Test("What comes after a close is not looked at")
    func afterClose() async throws {
        let counter = LookCounter(messageBytes: 10)
        try await withTransports([nil], membershipStreamEnd: counter.end) { nodes in
            let stream = try #require(RawStream(nodes[0].boundAddress))
            stream.write([UInt8](repeating: 8, count: 10))
            var exchanges: [any Exchange] = []
            await waitUntil {
                exchanges += nodes[0].exchanges(on: .membership).takeNow()
                return !exchanges.isEmpty
            }
            let exchange = try #require(exchanges.first)
            #expect(try await exchange.receive()?.count == 10)
            exchange.close()
            try await Task.sleep(for: .milliseconds(50))
            let before = counter.bytes
            for _ in 0..<20 {
                stream.write([UInt8](repeating: 8, count: 100))
                try await Task.sleep(for: .milliseconds(1))
            }
            try await Task.sleep(for: .milliseconds(50))
            #expect(counter.bytes == before)
        }
    }

    private static func works(from dialler: UDPTransport, to acceptor: UDPTransport) async -> Bool {
        _ = acceptor.exchanges(on: .replication).takeNow()
        return await (try? dialler.exchange(on: .replication, with: acceptor.boundAddress)) != nil
    }

    private func withTransports(
        _ keys: [ClusterKey?], membershipStreamEnd: @escaping StreamFraming.Finder = { _ in .invalid },
        _ body: @Sendable ([UDPTransport]) async throws -> Void
    ) async throws {
        let nodes = try keys.map { key in
            var configuration = UDPTransportConfiguration()
            configuration.key = key
            configuration.handshakeTimeout = .milliseconds(500)
            configuration.maxExchanges = 512
            configuration.maxExchangesPerHost = 512
            configuration.membershipStreamEnd = membershipStreamEnd
            return try UDPTransport.bind(configuration)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { try await node.run() } }
            defer { group.cancelAll() }
            try await body(nodes)
        }
    }
}

func waitUntil(sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool) async {
    let deadline = ContinuousClock.now + .seconds(10)
    while await !condition() {
        if ContinuousClock.now > deadline {
            Issue.record("not within 10 s", sourceLocation: sourceLocation)
            return
        }
        try? await Task.sleep(for: .milliseconds(2))
    }
}
