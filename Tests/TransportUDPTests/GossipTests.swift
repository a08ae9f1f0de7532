import Foundation
import Testing
import Transport
import TransportKit

@testable import TransportUDP

/// Who gets what, exactly; time and randomness are values.
@Suite("Gossip")
struct GossipTests {
    private func peer(_ number: Int) -> PeerAddress {
        PeerAddress(host: .v4(0x0a00_0000 + UInt32(number)), port: 7_946)
    }

    private func gossip(peers: Int, configuration: GossipConfiguration = GossipConfiguration()) -> Gossip {
        var gossip = Gossip(configuration: configuration, seed: 1)
        gossip.setPeers((0..<peers).map { Peer(address: peer($0)) })
        return gossip
    }

    private func drain(_ gossip: inout Gossip, at now: EngineInstant = .zero) -> [Gossip.Packet] {
        var all: [Gossip.Packet] = []
        while true {
            let packets = gossip.nextPackets(at: now, limit: 64)
            if packets.isEmpty { return all }
            all += packets
        }
    }

    private func instant(_ milliseconds: Int) -> EngineInstant { .zero + .milliseconds(milliseconds) }

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

/// The order in which queued broadcasts are taken.
@Suite("Broadcast queue")
struct BroadcastQueueTests {
    @Test("Least sent first, then the longest that fits, then the newest")
    func order() {
        var queue = BroadcastQueue(maxBytes: 1 << 20)
        queue.add([1, 1, 1], key: nil, transmits: 1)
        queue.add([2], key: nil, transmits: 0)
        queue.add([3, 3], key: nil, transmits: 0)
        queue.add([4, 4], key: nil, transmits: 0)
        queue.add([5, 5, 5, 5], key: nil, transmits: 0)
        var order: [UInt8] = []
        while let part = queue.take(atMost: 3) { order.append(part[0]) }
        #expect(order == [4, 3, 2, 1])
        queue.putBack(limit: 2)
        #expect(queue.count == 4)
        #expect(queue.take(atMost: 1_400)?.first == 5)
        #expect(queue.take(atMost: 1_400)?.first == 4)
        queue.putBack(limit: 2)
        #expect(queue.count == 3)
    }

    @Test("Newest first also after many were put back in another order")
    func orderAfterPutBack() {
        var queue = BroadcastQueue(maxBytes: 1 << 20)
        for number in 0..<200 { queue.add([UInt8(number)], key: nil, transmits: 0) }
        for _ in 0..<20 {
            for _ in 0..<10 { _ = queue.take(atMost: 5) }
            queue.putBack(limit: 9)
        }
        var order: [UInt8] = []
        while let part = queue.take(atMost: 5) { order.append(part[0]) }
        #expect(order == (0..<200).reversed().map { UInt8($0) })
    }

    @Test("A key has one entry, and the bound drops the oldest")
    func keysAndBound() {
        var queue = BroadcastQueue(maxBytes: 3 * 74)
        for number in 0..<3 { queue.add([UInt8](repeating: UInt8(number), count: 10), key: "same", transmits: 0) }
        #expect(queue.count == 1 && queue.bytes == 74 && queue.droppedCount == 0)
        for number in 3..<6 { queue.add([UInt8](repeating: UInt8(number), count: 10), key: nil, transmits: 0) }
        #expect(queue.count == 3 && queue.droppedCount == 1)
        var order: [UInt8] = []
        while let part = queue.take(atMost: 10) { order.append(part[0]) }
        #expect(order == [5, 4, 3])
    }

    @Test("What was dropped or replaced is never taken, however much of it there was, and the rest in order")
    func goneEntries() {
        var queue = BroadcastQueue(maxBytes: 100 * 74)
        for number in 0..<20_000 {
            let part = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1 + number % 10)
            queue.add(part, key: number % 3 == 0 ? "key \(number % 7)" : nil, transmits: number % 4)
        }
        let live = queue.count
        #expect(live <= 740 && queue.bytes <= 7_400)
        var lengths: [Int] = []
        while let part = queue.take(atMost: 1_400) { lengths.append(part.count) }
        #expect(lengths.count == live)
        queue.putBack(limit: 1)
        #expect(queue.isEmpty && queue.bytes == 0 && queue.take(atMost: 1_400) == nil)
        queue.add([1], key: nil, transmits: 0)
        #expect(queue.take(atMost: 1) == [1])
    }

    @Test("Dropping a repetition of what every peer was sent counts as no loss")
    func dropsOfRepetitions() {
        var queue = BroadcastQueue(maxBytes: 2 * 74)
        let part = [UInt8](repeating: 0, count: 10)
        queue.add(part, key: nil, transmits: 2, isEverywhere: true)
        queue.add(part, key: nil, transmits: 9)
        queue.add(part, key: nil, transmits: 0)
        #expect(queue.count == 2 && queue.droppedCount == 0)
        queue.add(part, key: nil, transmits: 0)
        #expect(queue.count == 2 && queue.droppedCount == 1)
    }
}
