import Foundation
import Membership
import Testing
import Transport

/// Rubbish at the ports of a living cluster: 15 s in the suite, as long as `AUTO_CLUSTER_SYNC_ATTACK_SECONDS` says by hand.
@Suite("Attack on the ports", .serialized)
struct AttackTests {
    @Test("random bytes and mutated messages do no harm, to clear and to sealed clusters", arguments: [false, true])
    func rubbish(isSealed: Bool) async throws {
        let seconds = Double(ProcessInfo.processInfo.environment["AUTO_CLUSTER_SYNC_ATTACK_SECONDS"] ?? "") ?? 15
        let cluster = try TestCluster(3, keys: { _ in isSealed ? ClusterTests.key(3) : "" })
        try await cluster.startAll()
        for index in 0..<20 { try await cluster[index % 3].create("before-\(index)", "x") }
        let pids = try (0..<3).map { try cluster.process($0).pid }
        let nodeIDs = try (0..<3).map { index in
            try #require(Self.nodeID(in: try cluster.process(index).output))
        }
        var attacker = try Attacker(ports: cluster.members.map(\.port), nodeIDs: nodeIDs)
        var resident: [Int] = []
        var count = 20
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(seconds) {
            attacker.attack(packets: 500, streams: 5)
            try await cluster[count % 3].create("during-\(count)", "x")
            count += 1
            if ContinuousClock.now - start > .seconds(seconds / 2) {
                resident.append(try (0..<3).map { try cluster.process($0).residentBytes }.max() ?? 0)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        try await cluster.allReady(within: 30)
        try await cluster.converged(count: count, within: 30)
        // Not cut off by forged numbers: what is written now arrives by itself, from each node at each.
        for index in 0..<3 {
            try await cluster[index].create("after-\(index)", "x")
            count += 1
        }
        try await cluster.converged(count: count, within: 30)
        #expect(try (0..<3).map { try cluster.process($0).pid } == pids, "no node has died")
        #expect(attacker.sentPackets > 1_000)
        #expect((resident.max() ?? .max) < 200_000_000, "\(resident.max() ?? 0) bytes")
        // Invented members may be heard of, and are forgotten.
        for index in 0..<3 {
            try await cluster.eventually("only real members on node \(index + 1)", within: 90) {
                let members = try await cluster[index].info().members
                return members.count == 3 && members.allSatisfy { $0.status == "alive" }
            }
        }
    }
}

extension AttackTests {
    /// What a node says of itself when it starts; an eavesdropper would read it in any heartbeat.
    private static func nodeID(in output: String) -> NodeID? {
        output.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("node.id=") }
            .flatMap { NodeID(String($0.dropFirst(8))) }
    }
}

/// Sends random bytes, and valid messages with some bytes changed, at UDP and TCP ports of this machine.
struct Attacker {
    private(set) var sentPackets = 0
    private var generator = SeededGenerator(seed: 42)
    private let ports: [Int]
    private let datagrams: Int32
    private let samples: [[UInt8]]
    private let forged: [[UInt8]]

    init(ports: [Int], nodeIDs: [NodeID]) throws {
        self.ports = ports
        datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(datagrams >= 0)
        let nowhere = PeerAddress(host: .v4(0x7f00_0001), port: 9)
        let accusations = (1...nodeIDs.count).flatMap { number -> [[UInt8]] in
            let accusation = AccusationBody(incarnation: 1, node: "node-\(number)", from: "node-9")
            return [MemberlistCodec.encode(.suspect(accusation)), MemberlistCodec.encode(.dead(accusation))]
        }
        // Heartbeats and changes in the name of each member, with starts, heads and numbers from nowhere.
        forged = nodeIDs.flatMap { node in
            [UInt64.max - 1, 1 << 62, 5].flatMap { number -> [[UInt8]] in
                var changes: [UInt8] = [0xd2, 1]
                var heartbeat: [UInt8] = [0xd2, 2]
                for value in [node.rawValue, number, number] {
                    changes.append(bigEndian: value)
                    heartbeat.append(bigEndian: value)
                }
                return [changes, heartbeat + [UInt8](repeating: 7, count: 24) + [1]]
            }
        }
        samples =
            accusations + [
                MemberlistCodec.encode(.ping(PingBody(sequence: 1, node: "node-1", source: nowhere, sourceNode: "x"))),
                MemberlistCodec.encode(.ack(AckBody(sequence: 7))),
                [0xd1, 1] + [UInt8](repeating: 3, count: 60), [0xd2, 2] + [UInt8](repeating: 0, count: 60),
                [0x02] + [UInt8](repeating: 9, count: 80), [0x07, 3, 0, 9, 0, 2, 0xff, 0xff, 1, 2, 3],
            ]
    }

    mutating func attack(packets: Int, streams: Int) {
        for _ in 0..<packets {
            let bytes = packet()
            var target = address(ports.randomElement(using: &generator) ?? ports[0])
            let sent = withUnsafePointer(to: &target) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(datagrams, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if sent > 0 { sentPackets += 1 }
        }
        for _ in 0..<streams { stream() }
    }

    private mutating func packet() -> [UInt8] {
        switch Int.random(in: 0..<4, using: &generator) {
        case 3: return forged.randomElement(using: &generator) ?? [0]
        case 0: return (0..<Int.random(in: 1..<1_500, using: &generator)).map { _ in byte() }
        case 1:
            // A member that nobody has ever seen, valid in all respects.
            let alive = AliveBody(
                incarnation: 1, node: "invented-\(UInt32.random(in: 0..<100_000, using: &generator))",
                address: PeerAddress(
                    host: .v4(0x7f00_0001), port: UInt16.random(in: 1_024..<20_000, using: &generator)), meta: nil)
            return MemberlistCodec.encode(.alive(alive))
        default:
            var bytes = samples.randomElement(using: &generator) ?? [0]
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = byte()
            }
            return bytes
        }
    }

    /// Connects, sends rubbish and goes away without a word.
    private mutating func stream() {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var target = address(ports.randomElement(using: &generator) ?? ports[0])
        let result = withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return }
        let bytes = packet()
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private mutating func byte() -> UInt8 { UInt8.random(in: .min ... .max, using: &generator) }

    private func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
