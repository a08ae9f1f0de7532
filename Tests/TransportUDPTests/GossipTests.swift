import Foundation
import Testing
import Transport
import TransportKit

@testable import TransportUDP

/// Who gets what, exactly; time and randomness are values.
@Suite("Gossip")
struct GossipTests {
    @Test("A unicast is one packet with the message, at once")
    func unicast() {
        var gossip = gossip(peers: 2)
        #expect(gossip.nextDeadline == nil)
        gossip.send([8, 1], on: .membership, to: peer(0))
        gossip.send([5], on: .replication, to: peer(9))
        #expect(gossip.nextDeadline == .zero)
        #expect(
            drain(&gossip) == [
                .init(destination: peer(0), content: [8, 1]), .init(destination: peer(9), content: [0xd0, 5]),
            ])
        #expect(gossip.nextDeadline == nil)
    }

    @Test("What waits and what goes out is counted once for each peer, without type bytes, and again when repeated")
    func counting() {
        var gossip = gossip(peers: 3)
        gossip.send([8, 1], on: .membership, to: peer(0))
        gossip.broadcast([5, 5, 5], on: .replication, options: BroadcastOptions())
        #expect(gossip.waiting(on: .membership) == .init(messages: 1, bytes: 2 + 64))
        #expect(gossip.waiting(on: .replication) == .init(messages: 3, bytes: 4 + 64))
        _ = drain(&gossip)
        #expect(gossip.waiting(on: .replication) == .init() && gossip.waiting(on: .membership) == .init())
        #expect(
            gossip.sent.membership == .init(messages: 1, bytes: 2)
                && gossip.sent.replication == .init(messages: 3, bytes: 9))
        let repeated = drain(&gossip, at: instant(200))
        #expect(repeated.count == 1 && gossip.sent.replication == .init(messages: 4, bytes: 12))
    }

    @Test("What is dropped or replaced while it waits waits no more")
    func countingDrops() {
        var gossip = gossip(peers: 3)
        for number: UInt8 in 0..<4 {
            gossip.broadcast([5, number], on: .replication, options: BroadcastOptions(replacing: "key"))
        }
        #expect(gossip.waiting(on: .replication).messages == 3)
        for _ in 0..<10_000 {
            gossip.broadcast(
                [UInt8](repeating: 5, count: 1_300), on: .replication, options: BroadcastOptions(isRepeated: false))
        }
        let waiting = gossip.waiting(on: .replication)
        #expect(waiting.bytes <= gossip.configuration.maxBytes(for: .replication) && waiting.messages % 3 == 0)
        let dropped = gossip.takeDrops()[.sendQueueFull] ?? 0
        #expect(dropped > 0 && waiting.messages == 3 + 30_000 - dropped)
    }

    @Test("Messages that wait for one peer share a packet, membership first")
    func packing() {
        var gossip = gossip(peers: 1)
        gossip.send([1, 1], on: .replication, to: peer(0))
        gossip.send([8, 2], on: .membership, to: peer(0))
        gossip.send([8, 3], on: .membership, to: peer(0))
        let expected: [UInt8] = [7, 3, 0, 2, 0, 2, 0, 3, 8, 2, 8, 3, 0xd0, 1, 1]
        #expect(drain(&gossip) == [.init(destination: peer(0), content: expected)])
    }

    @Test("However peers come and go, those of each channel are the ones that were set last")
    func changingPeers() {
        var random = SeededGenerator(seed: 7)
        var configuration = GossipConfiguration()
        configuration.maxPeers = 20
        var gossip = Gossip(configuration: configuration, seed: 1)
        for _ in 0..<300 {
            let chosen = (0..<24).filter { _ in Bool.random(using: &random) }
            let list = chosen.map { number in
                Peer(address: peer(number), channels: Int.random(in: 0..<3, using: &random) == 0 ? .membership : .all)
            }.shuffled(using: &random)
            gossip.setPeers(list)
            if Bool.random(using: &random) { gossip.send([8], on: .membership, to: peer(30)) }
            let kept = list.sorted { $0.address < $1.address }.prefix(20)
            for channel in Channel.allCases {
                let expected = Set(kept.filter { $0.channels.has(channel) }.map(\.address))
                #expect(gossip.peerCount(on: channel) == expected.count)
                gossip.broadcast([8, channel.rawValue], on: channel, options: BroadcastOptions(isRepeated: false))
                let reached = drain(&gossip, at: instant(1_000_000)).map(\.destination).filter { $0 != peer(30) }
                #expect(Set(reached) == expected && reached.count == expected.count)
            }
            #expect(gossip.strangerCount <= 1)
        }
    }

    @Test("Up to 30 peers a broadcast goes to each once and is marked so", arguments: [1, 3, 30])
    func direct(count: Int) {
        var gossip = gossip(peers: count)
        gossip.broadcast([9], on: .replication, options: BroadcastOptions(isRepeated: false))
        let packets = drain(&gossip)
        #expect(packets.map(\.destination) == (0..<count).map(peer))
        #expect(packets.allSatisfy { $0.content == [0xd2, 9] })
        #expect(gossip.nextDeadline == nil)
    }

    @Test(
        "With more than 30 peers a broadcast goes to some, who shall pass it on",
        arguments: [(31, 6), (100, 7), (1_000, 9)])
    func fanOut(count: Int, expected: Int) {
        var gossip = gossip(peers: count)
        gossip.broadcast([9], on: .replication, options: BroadcastOptions(skipping: [peer(3)]))
        let packets = drain(&gossip)
        #expect(Set(packets.map(\.destination)).count == expected && packets.count == expected)
        #expect(!packets.contains { $0.destination == peer(3) })
        #expect(packets.allSatisfy { $0.content == [0xd1, 9] })
        #expect(gossip.queuedCount(on: .replication) == 1)
        #expect(gossip.nextDeadline == instant(200))
    }

    @Test("A relay that skips sender and origin reached everyone")
    func skipping() {
        var gossip = gossip(peers: 4)
        let options = BroadcastOptions(skipping: [peer(0), peer(2), peer(50)], isRepeated: false)
        gossip.broadcast([9], on: .replication, options: options)
        #expect(drain(&gossip).map(\.destination) == [peer(1), peer(3)])
        gossip.broadcast([9], on: .replication, options: options)
        #expect(drain(&gossip).allSatisfy { $0.content == [0xd2, 9] })
        gossip.broadcast([9], on: .replication, options: BroadcastOptions(skipping: (0..<4).map(peer)))
        #expect(drain(&gossip).isEmpty && gossip.queuedCount(on: .replication) == 0)
    }

    @Test("A broadcast is sent as often as its limit says, the direct sends included")
    func transmitLimit() {
        for (count, limit) in [(1, 4), (2, 4), (8, 4), (30, 8), (100, 12)] {
            var gossip = gossip(peers: count)
            gossip.broadcast([9], on: .replication, options: BroadcastOptions())
            var sent = drain(&gossip).count
            var now = 0
            while let deadline = gossip.nextDeadline {
                now += 200
                #expect(deadline == instant(now))
                let packets = drain(&gossip, at: deadline)
                #expect(Set(packets.map(\.destination)).count == packets.count)
                sent += packets.count
            }
            #expect(sent >= max(limit, count <= 30 ? count : 0), "\(count) peers")
            // The last round may go over by its other peers.
            #expect(sent <= max(limit + 2, count <= 30 ? count : 0), "\(count) peers")
            #expect(gossip.queuedCount(on: .replication) == 0)
        }
    }

    @Test("Limits are memberlist's")
    func limitVectors() throws {
        let gossip = gossip(peers: 0)
        for vector in try Vectors.load().formulas.retransmit_limit where vector.mult == 4 {
            #expect(gossip.transmitLimit(nodeCount: vector.n) == vector.limit, "\(vector.n) nodes")
        }
    }

    @Test("A queued broadcast rides on other packets to peers, not on those to strangers")
    func piggyback() {
        var gossip = gossip(peers: 2)
        gossip.broadcast([8, 9], on: .membership, options: BroadcastOptions())
        #expect(drain(&gossip).map(\.content) == [[8, 9], [8, 9]])
        gossip.send([8, 1], on: .membership, to: peer(7))
        gossip.send([8, 2], on: .membership, to: peer(0))
        #expect(
            drain(&gossip).map(\.content) == [[8, 1], [7, 2, 0, 2, 0, 2, 8, 2, 8, 9]])
    }

    @Test("A newer broadcast with the same key replaces the older, waiting or queued")
    func replacing() {
        var gossip = gossip(peers: 1)
        let options = BroadcastOptions(replacing: "a")
        gossip.broadcast([8, 1], on: .membership, options: options)
        gossip.broadcast([8, 2], on: .membership, options: options)
        #expect(drain(&gossip).map(\.content) == [[8, 2]])
        #expect(gossip.queuedCount(on: .membership) == 1)
        gossip.broadcast([8, 3], on: .membership, options: options)
        #expect(drain(&gossip).map(\.content) == [[8, 3]])
        #expect(gossip.queuedCount(on: .membership) == 1)
        #expect(drain(&gossip, at: instant(200)).map(\.content) == [[8, 3]])
    }

    @Test("Nothing of a channel goes to a peer that does not understand it")
    func channels() {
        var gossip = Gossip(seed: 1)
        gossip.setPeers([Peer(address: peer(0)), Peer(address: peer(1), channels: [.membership])])
        gossip.broadcast([1], on: .replication, options: BroadcastOptions())
        gossip.send([2], on: .replication, to: peer(1))
        gossip.send([8], on: .membership, to: peer(1))
        #expect(Set(drain(&gossip).map(\.content)) == [[0xd2, 1], [8]])
        #expect(drain(&gossip, at: instant(200)) == [.init(destination: peer(0), content: [0xd2, 1])])
        #expect(gossip.takeDrops() == [.unsupported: 1])
    }

    @Test("Same seed and inputs, same packets")
    func deterministic() {
        func trace() -> [Gossip.Packet] {
            var gossip = gossip(peers: 80)
            var packets: [Gossip.Packet] = []
            for number in 0..<50 {
                gossip.broadcast([8, UInt8(number)], on: .membership, options: BroadcastOptions())
                packets += drain(&gossip, at: instant(number * 10))
            }
            for round in 0..<50 { packets += drain(&gossip, at: instant(500 + round * 200)) }
            return packets
        }
        #expect(trace() == trace())
    }
}
