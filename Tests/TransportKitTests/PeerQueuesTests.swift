import Testing
import Transport
import TransportKit

@Suite("Queues towards all peers")
struct PeerQueuesTests {
    private let peers = (1...3 as ClosedRange<UInt16>).map { PeerAddress(host: .v4(0x7f00_0001), port: $0) }

    private func queues(maxPeers: Int = 3, maxBytes: Int = 10_000) -> PeerQueues {
        var queues = PeerQueues(maxPeers: maxPeers, maxMessageBytes: 100, maxBytes: PerChannel(repeating: maxBytes))
        queues.setPeers([
            Peer(address: peers[0], channels: .all), Peer(address: peers[1], channels: .all),
            Peer(address: peers[2], channels: .membership),
        ])
        return queues
    }

    @Test("A broadcast goes to the peers that understand its channel and are not skipped, and wakes each once")
    func broadcast() {
        var queues = queues()
        let first = queues.broadcast([1], on: .replication, options: BroadcastOptions())
        #expect(Set(first.waking) == Set(peers[..<2]) && first.drops.isEmpty)
        let second = queues.broadcast([2], on: .replication, options: BroadcastOptions(skipping: [peers[0]]))
        #expect(second.waking.isEmpty && second.drops.isEmpty)
        #expect(queues.take(for: peers[0], maxBytes: .max).map(\.bytes) == [[1]])
        #expect(queues.take(for: peers[1], maxBytes: 1).map(\.bytes) == [[1]])
        #expect(queues.take(for: peers[1], maxBytes: 1).map(\.bytes) == [[2]])
        #expect(queues.take(for: peers[2], maxBytes: .max).isEmpty)
        var stats = TransportStats()
        queues.complete(&stats)
        #expect(stats[.replication].sent == .init(messages: 3, bytes: 3))
        #expect(stats[.replication].sendQueue == .init())
        // All was taken: the next message wakes again.
        #expect(queues.send([3], on: .replication, to: peers[0]).waking == [peers[0]])
    }

    @Test("What cannot go is counted: too large, not understood, past the bytes of a peer or the number of peers")
    func bounds() {
        var queues = queues(maxPeers: 2, maxBytes: 2 * (SendQueue.messageCost + 100))
        let largest = [UInt8](repeating: 0, count: 100)
        #expect(queues.send(largest + [0], on: .replication, to: peers[0]).drops == [.tooLarge: 1])
        #expect(queues.broadcast(largest + [0], on: .replication, options: .init()).drops == [.tooLarge: 1])
        #expect(queues.send([1], on: .replication, to: peers[2]).drops == [.unsupported: 1])
        for _ in 0..<2 { #expect(queues.send(largest, on: .replication, to: peers[0]).drops.isEmpty) }
        #expect(queues.send(largest, on: .replication, to: peers[0]).drops == [.sendQueueFull: 1])
        // A peer that is in no list is one of two.
        #expect(queues.send([1], on: .membership, to: PeerAddress(host: .v4(1), port: 1)).drops.isEmpty)
        #expect(queues.send([1], on: .membership, to: peers[1]).drops == [.unreachable: 1])
        #expect(queues.giveUp(peers[0]) == 2 && queues.giveUp(peers[0]) == 0)
        #expect(queues.send([1], on: .membership, to: peers[1]).drops.isEmpty)
        #expect(queues.giveUpAll() == 2)
    }
}
