import CLibZMQ
import Foundation
import Keys
import Testing
import Transport

@testable import TransportZMQ

extension FaultTests {
    /// Who may connect to a node with a key, and which versions go together.
    @Suite("Keys and versions on the wire", .timeLimit(.minutes(1)))
    struct SecurityTests {
        /// What a foreign socket knows.
        enum Knowledge: CaseIterable {
            case nothing, otherKey
            /// The public keys of the servers, as from a leak, with a key pair of its own.
            case serverKey
            /// What the cluster's nodes know: it shows that the others fail for their keys alone.
            case clusterKey

            func secure(_ socket: ZMQSocket) throws {
                switch self {
                case .nothing: break
                case .otherKey: try CurveKeys(ClusterKey([UInt8](101...132))).secureClient(socket)
                case .clusterKey: try CurveKeys(ClusterKey(RunningNode.keyBytes)).secureClient(socket)
                case .serverKey:
                    try CurveKeys(ClusterKey(RunningNode.keyBytes)).secureClient(socket)
                    var (publicKey, secretKey) = ([CChar](repeating: 0, count: 41), [CChar](repeating: 0, count: 41))
                    try #require(zmq_curve_keypair(&publicKey, &secretKey) == 0)
                    try socket.set(ZMQ_CURVE_PUBLICKEY, Self.bytes(publicKey))
                    try socket.set(ZMQ_CURVE_SECRETKEY, Self.bytes(secretKey))
                }
            }

            /// libzmq takes keys in Z85 too, with the zero behind them.
            private static func bytes(_ text: [CChar]) throws -> [UInt8] {
                var key = [UInt8](repeating: 0, count: 32)
                try #require(zmq_z85_decode(&key, text) != nil)
                return key
            }

            /// How the node counts it.
            var cause: DropCause { self == .nothing ? .clearText : .otherKey }
            var refusal: Refusal { self == .nothing ? .clearText : .otherKey }
        }

        @Test(
            "Nobody but who has the cluster key reads the broadcasts of a node with key", arguments: Knowledge.allCases)
        func subscribers(knowledge: Knowledge) async throws {
            let nodes = try await Self.keyedPair()
            try await Self.withSocket(.subscriber, knowledge, to: nodes[0].transport.publishAddress) { socket in
                try socket.set(ZMQ_SUBSCRIBE, [])
                var frames = 0
                for number in 1...100 {
                    nodes[0].broadcast(number)
                    await eventually("the honest peer hears it") { nodes[1].numbers().last == number }
                    try await Task.sleep(for: .milliseconds(3))
                    while socket.events.isReadable, socket.receiveMessage() != nil { frames += 1 }
                }
                #expect((frames > 0) == (knowledge == .clusterKey), "\(frames) frames")
            }
            // A client without a key may hang up before it was seen what it is.
            for _ in 0..<100 where knowledge != .clusterKey && nodes[0].dropped(knowledge.cause) == 0 {
                try await Self.withSocket(.subscriber, knowledge, to: nodes[0].transport.publishAddress) { _ in
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            try await Self.expectReported(knowledge, by: nodes[0])
        }

        @Test("Nobody but who has the cluster key gets an answer of a node with key", arguments: Knowledge.allCases)
        func dealers(knowledge: Knowledge) async throws {
            let nodes = try await Self.keyedPair()
            func greet(_ socket: ZMQSocket) async throws {
                _ = socket.send(LinkMessage.hello(Hello(stream: 5, port: 9, publishPort: 9)).encoded())
                _ = socket.send(LinkMessage.unicast(.replication, message: numbered(666)).encoded())
                var answers = 0
                let deadline = ContinuousClock.now + .milliseconds(300)
                while ContinuousClock.now < deadline {
                    while socket.events.isReadable, socket.receiveMessage() != nil { answers += 1 }
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect((answers > 0) == (knowledge == .clusterKey), "\(answers) answers")
            }
            // A client without a key may hang up before it was seen what it is.
            for _ in 0..<10 {
                try await Self.withSocket(.dealer, knowledge, to: nodes[0].address, greet)
                if knowledge == .clusterKey || nodes[0].dropped(knowledge.cause) > 0 { break }
            }
            #expect(nodes[0].numbers().contains(666) == (knowledge == .clusterKey))
            try await Self.expectReported(knowledge, by: nodes[0])
            try await expectWorking(nodes[0], nodes[1])
        }

        private static func keyedPair() async throws -> [RunningNode] {
            try await settledPair { $0.key = try ClusterKey(RunningNode.keyBytes) }
        }

        private static func expectReported(_ knowledge: Knowledge, by node: RunningNode) async throws {
            if knowledge == .clusterKey { return #expect(node.refusals(.otherKey).isEmpty) }
            await eventually("it is counted", within: .seconds(3)) { node.dropped(knowledge.cause) > 0 }
            await eventually("it is reported", within: .seconds(3)) {
                let named = node.refusals(knowledge.refusal)
                return !named.isEmpty && named.allSatisfy { $0.host == node.address.host || $0.isUnspecified }
            }
        }

        private static func withSocket(
            _ kind: SocketKind, _ knowledge: Knowledge, to address: PeerAddress,
            _ body: (ZMQSocket) async throws -> Void
        ) async throws {
            let context = try ZMQContext(maxSockets: 16)
            defer { context.end() }
            let socket = try ZMQSocket(kind, in: context)
            defer { socket.close() }
            try knowledge.secure(socket)
            try #require(socket.connect("tcp://\(address)"))
            try await body(socket)
        }

        // MARK: Versions

        @Test("Nodes of overlapping versions work together")
        func overlappingVersions() async throws {
            let nodes = [try RunningNode { $0.versions = 1...1 }, try RunningNode { $0.versions = 1...3 }]
            await settle(nodes)
            try await expectWorking(nodes[0], nodes[1])
            try await expectWorking(nodes[1], nodes[0])
            #expect(nodes.allSatisfy { $0.refusals(.otherVersion).isEmpty })
        }

        @Test("Nodes without a version in common tell each other so", arguments: [true, false])
        func otherVersion(isDiallerNewer: Bool) async throws {
            let ranges: [ClosedRange<UInt8>] = isDiallerNewer ? [2...3, 1...1] : [1...1, 2...3]
            let nodes = try ranges.map { versions in try RunningNode { $0.versions = versions } }
            #expect(await exchangeError(nodes[0], with: nodes[1].address) == .otherVersion)
            await eventually("the acceptor reports it") { nodes[1].refusals(.otherVersion) == [nodes[0].address] }
            nodes[0].setPeers([nodes[1].address])
            nodes[0].transport.send(numbered(1), on: .membership, to: nodes[1].address)
            await eventually("it is counted at both") {
                nodes[1].dropped(.unsupported) > 1 && nodes[0].dropped(.unreachable) > 0
            }
            // Once, however often it is tried.
            #expect(nodes[1].refusals(.otherVersion).count == 1)
            #expect(nodes[1].numbers(on: .membership).isEmpty)
            #expect(await exchangeError(nodes[0], with: nodes[1].address) == .otherVersion)
        }
    }
}
