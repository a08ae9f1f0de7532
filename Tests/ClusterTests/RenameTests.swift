import Membership
import Replication
import Testing
import Transport

@testable import Cluster

@Suite("A member that is started again under another name, as its peers see it")
struct RenameTests {
    @Test("it is the same node at once, wherever it is: no copy, no second peer", arguments: [true, false])
    func renamed(hasMoved: Bool) throws {
        var node = try TestedCore()
        try node.join()
        let place = hasMoved ? otherAddress : peerAddress
        try rename(&node, to: place)
        #expect(!node.hasSeenCopy)
        #expect(node.core.replication.peers.map(\.address) == [place])
        // Saved is the new name only.
        let saved = node.pass(.seconds(1)).compactMap { effect -> [KnownMember]? in
            if case .saveMembers(let members) = effect { members } else { nil }
        }
        #expect(saved.last?.map(\.name) == ["renamed"])
        #expect(!node.hasSeenCopy)
    }

    @Test("at another address it is a copy once the old name has answered after it came")
    func copied() throws {
        var node = try TestedCore()
        try node.join()
        try rename(&node, to: otherAddress)
        #expect(!node.hasSeenCopy)
        var hasSeenCopy = false
        for _ in 0..<40 where !hasSeenCopy {
            for (ping, peer) in node.pass(.milliseconds(50)).pings {
                let ack = MemberlistCodec.encode(.ack(AckBody(sequence: ping.sequence)))
                node.feed(.arrived([Arrival(message: ack, sender: peer, delivery: .unicast)], on: .membership))
                hasSeenCopy = hasSeenCopy || node.hasSeenCopy
            }
        }
        #expect(hasSeenCopy)
        #expect(node.core.replication.peers.count == 1)
    }

    /// The node that was joined comes with another name.
    private func rename(_ node: inout TestedCore, to place: PeerAddress) throws {
        let id = ExchangeID.accepted(1, on: .membership)
        node.feed(.accepted(id, from: place.with(port: 50_000)))
        let local = try LocalMember(name: "renamed", nodeID: NodeID(2), address: place, tags: .node)
        let state = MembershipEngine(local: local, seed: 3).localState(isJoin: true)
        node.feed(.exchange(id, .received(MemberlistCodec.encodeStream(.pushPull(state)))))
        let ping = try #require(node.effects.pings.first { $0.0.node == "renamed" })
        let ack = MemberlistCodec.encode(.ack(AckBody(sequence: ping.0.sequence)))
        node.feed(.arrived([Arrival(message: ack, sender: place, delivery: .unicast)], on: .membership))
    }
}

extension TestedCore {
    fileprivate var hasSeenCopy: Bool {
        effects.events.contains { if case .replication(.sameNode) = $0 { true } else { false } }
    }
}

extension [NodeCore.Effect] {
    fileprivate var pings: [(PingBody, PeerAddress)] {
        compactMap { effect in
            guard case .send(let message, on: .membership, to: let peer) = effect,
                case .ping(let ping)? = try? MemberlistCodec.decode(message)
            else { return nil }
            return (ping, peer)
        }
    }
}
