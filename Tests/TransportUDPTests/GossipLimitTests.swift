import Foundation
import Testing
import Transport
import TransportKit

@testable import TransportUDP

/// What gossip sends and keeps at most, and how its shares are dealt out.
@Suite("Limits of gossip")
struct GossipLimitTests {
    @Test("In a large cluster four news of members go out at once in 200 ms, more share the packets of the rounds")
    func storm() {
        func counts(peers: Int, on channel: Channel, type: UInt8) -> (packets: Int, parts: Int) {
            var gossip = gossip(peers: peers)
            var packets = drain(&gossip)
            for number: UInt8 in 0..<50 {
                gossip.broadcast([type, number], on: channel, options: BroadcastOptions(replacing: "\(number)"))
                packets += drain(&gossip)
            }
            let first = packets.count
            var now = EngineInstant.zero
            while let next = gossip.nextDeadline, next < instant(60_000) {
                now = max(now, next)
                packets += drain(&gossip, at: now)
            }
            let parts = packets.reduce(0) { $0 + PacketCodec.decode($1.content[...]).parts.count }
            return (first, parts)
        }
        #expect(counts(peers: 31, on: .membership, type: 4).packets == 4 * 6)
        #expect(counts(peers: 30, on: .membership, type: 4).packets == 50 * 30)
        #expect(counts(peers: 31, on: .replication, type: 9).packets == 50 * 6)
        // Accusations do not wait.
        #expect(counts(peers: 31, on: .membership, type: 5).packets == 50 * 6)
        // However they go, each goes as often as it must.
        #expect(counts(peers: 31, on: .membership, type: 4).parts == 50 * 8)
    }

    @Test("A flood from many addresses is not remembered for ever, drained or not", arguments: [false, true])
    func strangers(isDrained: Bool) {
        var gossip = gossip(peers: 40)
        gossip.send([8, 1], on: .membership, to: peer(0))
        var (sent, most) = (0, 0)
        for number in 0..<20_000 {
            gossip.send([8, 2], on: .membership, to: peer(1_000 + number))
            // One at a time, so that the queue is never empty between.
            if isDrained { sent += gossip.nextPackets(at: .zero, limit: 1).count }
            most = max(most, gossip.strangerCount)
        }
        #expect(most <= Gossip.maxStrangers)
        sent += drain(&gossip).count
        #expect(isDrained ? sent == 20_001 : sent <= Gossip.maxStrangers + 1)
        #expect(gossip.takeDrops()[.sendQueueFull, default: 0] == 20_001 - sent)
        #expect(gossip.strangerCount <= 256)
        gossip.send([8, 3], on: .membership, to: peer(999))
        #expect(drain(&gossip).count == 1)
    }

    @Test("What cannot travel is dropped and counted")
    func unfit() {
        var gossip = gossip(peers: 1)
        #expect(gossip.maxMessageBytes == 1_399)
        gossip.send([UInt8](repeating: 8, count: 1_400), on: .membership, to: peer(0))
        gossip.send([UInt8](repeating: 8, count: 1_399), on: .replication, to: peer(0))
        for first in [7, 9, 10, 12, 14, 0xd0, 244] as [UInt8] { gossip.send([first], on: .membership, to: peer(0)) }
        gossip.send([], on: .membership, to: peer(0))
        #expect(drain(&gossip).map(\.content.count) == [1_400])
        #expect(gossip.takeDrops() == [.tooLarge: 1, .unsupported: 8])
        #expect(gossip.takeDrops() == [:])
    }

    @Test("Packets to one peer are paced: 64 at once, then 50 a millisecond; other peers do not wait")
    func pacing() {
        var gossip = gossip(peers: 2)
        let message = [UInt8](repeating: 1, count: 1_300)
        for _ in 0..<250 { gossip.send(message, on: .replication, to: peer(0)) }
        #expect(drain(&gossip).count == 64)
        #expect(gossip.nextDeadline == .zero + .microseconds(500))
        gossip.send(message, on: .replication, to: peer(1))
        #expect(gossip.nextDeadline == .zero)
        #expect(drain(&gossip).map(\.destination) == [peer(1)])
        #expect(drain(&gossip, at: instant(1)).count == 50)
        #expect(drain(&gossip, at: instant(2)).count == 50)
        #expect(drain(&gossip, at: instant(100)).count == 64)
        #expect(drain(&gossip, at: instant(200)).count == 22)
        #expect(gossip.nextDeadline == nil)
    }

    @Test("Neither channel starves the other")
    func fairness() {
        var gossip = gossip(peers: 1)
        for _ in 0..<100 {
            gossip.send([UInt8](repeating: 8, count: 1_000), on: .membership, to: peer(0))
            gossip.send([UInt8](repeating: 1, count: 1_000), on: .replication, to: peer(0))
        }
        var counts: [Channel: Int] = [:]
        for packet in gossip.nextPackets(at: .zero, limit: 20) {
            for part in PacketCodec.decode(packet.content[...]).parts { counts[part.channel, default: 0] += 1 }
        }
        #expect(counts == [.membership: 10, .replication: 10])
    }

    @Test("Queues have bounds in bytes; the oldest goes and is counted")
    func bounds() {
        var configuration = GossipConfiguration()
        configuration.maxMembershipBytes = 64 * 1024
        var gossip = gossip(peers: 1, configuration: configuration)
        let (size, count) = (1_000, 100)
        for number in 0..<count {
            gossip.send([8, UInt8(number)] + [UInt8](repeating: 0, count: size - 2), on: .membership, to: peer(0))
        }
        let kept = 64 * 1024 / (size + 64)
        let packets = drain(&gossip) + drain(&gossip, at: instant(100))
        #expect(packets.map { Int($0.content[1]) } == Array((count - kept)..<count))
        #expect(gossip.takeDrops() == [.sendQueueFull: count - kept])
    }

    @Test("A burst of 20,000 broadcasts to many peers is packed densely and spread to the end")
    func burst() {
        var gossip = gossip(peers: 100)
        for number in 0..<20_000 {
            var message = [UInt8](repeating: 0, count: 100)
            withUnsafeBytes(of: UInt32(number)) { message.replaceSubrange(0..<4, with: $0) }
            gossip.broadcast(message, on: .replication, options: BroadcastOptions())
        }
        var (now, parts, packets) = (EngineInstant.zero, 0, 0)
        while let deadline = gossip.nextDeadline {
            now = max(now, deadline)
            for packet in drain(&gossip, at: now) {
                packets += 1
                #expect(packet.content.count <= 1_400)
                parts += PacketCodec.decode(packet.content[...]).parts.count
            }
        }
        #expect(gossip.takeDrops() == [:])
        #expect(parts >= 20_000 * 12, "each is sent as often as its limit says")
        #expect(parts / packets >= 12, "13 parts of 103 bytes fit into a packet")
    }
}
