import Membership
import Transport

/// Messages that are not what they should be.
struct Rubbish {
    var generator = SeededGenerator(seed: 42)
    private let samples: [[UInt8]]
    private let forged: [[UInt8]]

    init(_ nodeIDs: [NodeID]) {
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

    mutating func message() -> [UInt8] {
        switch number(0..<4) {
        case 3: return forged.randomElement(using: &generator) ?? [0]
        case 0: return random(1..<1_500)
        case 1:
            // A member that nobody has ever seen, valid in all respects.
            let alive = AliveBody(
                incarnation: 1, node: "invented-\(number(0..<100_000))",
                address: PeerAddress(host: .v4(0x7f00_0001), port: UInt16(number(1_024..<20_000))), meta: nil)
            return MemberlistCodec.encode(.alive(alive))
        default: return mutated(samples.randomElement(using: &generator) ?? [0])
        }
    }

    /// With one to four other bytes.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...number(0..<4) where !bytes.isEmpty { bytes[number(bytes.indices)] = byte() }
        return bytes
    }

    mutating func random(_ count: Range<Int>) -> [UInt8] { (0..<number(count)).map { _ in byte() } }
    mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }
    mutating func number64() -> UInt64 { UInt64.random(in: .min ... .max, using: &generator) }
    private mutating func byte() -> UInt8 { UInt8.random(in: .min ... .max, using: &generator) }
}
