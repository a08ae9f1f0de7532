@testable import Replication
import Testing
import Transport

@Suite("Versions of the replication channel")
struct VersionTests {
    private func peer(_ node: UInt64, _ versions: ClosedRange<UInt8>) -> ReplicationPeer {
        ReplicationPeer(nodeID: NodeID(node), address: address(node), versions: versions)
    }

    @Test(
        "the highest version that all speak is spoken; where there is none, the one that most speak",
        arguments: [
            (own: 1...3, peers: [], version: 3, leftOut: []),
            (own: 1...3, peers: [1...3, 2...4], version: 3, leftOut: []),
            (own: 1...3, peers: [1...3, 1...1], version: 1, leftOut: []),
            (own: 1...3, peers: [2...2, 1...3, 2...9], version: 2, leftOut: []),
            (own: 2...3, peers: [1...1, 2...2], version: 2, leftOut: [2]),
            (own: 1...3, peers: [1...1, 3...3], version: 3, leftOut: [2]),
            (own: 1...3, peers: [1...1, 3...3, 1...2], version: 1, leftOut: [3]),
            (own: 1...1, peers: [2...3, 0...0], version: 1, leftOut: [2, 3]),
            (own: 0...255, peers: [0...255], version: 255, leftOut: []),
        ] as [(own: ClosedRange<UInt8>, peers: [ClosedRange<UInt8>], version: UInt8, leftOut: [UInt64])])
    func choice(own: ClosedRange<UInt8>, peers: [ClosedRange<UInt8>], version: UInt8, leftOut: [UInt64]) {
        let peers = peers.enumerated().map { peer(UInt64($0.offset + 2), $0.element) }
        let choice = VersionChoice(among: peers, own: own)
        #expect(choice.version == version)
        #expect(choice.leftOut.map(\.nodeID) == leftOut.map { NodeID($0) })
        #expect(choice.peers == peers.filter { $0.versions.contains(version) })
    }

    @Test("versions travel as a tag")
    func tag() {
        for versions: ClosedRange<UInt8> in [1...1, 0...255, 2...7] {
            #expect(VersionChoice.versions(ofTag: VersionChoice.tag(of: versions)) == versions)
        }
        for tag in ["", "1", "-", "1-", "-1", "2-1", "1-256", "1-2-3", "a-b", "1 - 2"] {
            #expect(VersionChoice.versions(ofTag: tag) == nil, "\(tag)")
        }
    }

    @Test("every message begins with the version")
    func firstByte() {
        var engine = TestedEngine(nodeID: NodeID(1))
        var effects = engine.setPeers([peer(2, 1...4)], at: .zero)
        effects += engine.open(isSynced: true, at: .zero)
        effects += engine.committed([row("k")], at: .zero)
        let sent = effects.compactMap { effect -> [UInt8]? in
            switch effect {
            case .broadcast(let message, _): message
            case .heartbeat(let heartbeat, let version): ReplicationMessage.encode(heartbeat, version: version)
            default: nil
            }
        }
        #expect(sent.map { $0.prefix(2) } == [[1, 2], [1, 2], [1, 1]])
        let stream = StreamID(origin: NodeID(1), start: 1)
        #expect(ReplicationMessage.encode(.init(stream: stream, ranges: [1...1])).prefix(2) == [1, 3])
        let walk: [WalkMessage] = [
            .open(.init(lowestVersion: 1, highestVersion: 1, node: NodeID(1), summary: .empty, topSums: [])),
            .sums([]), .digests([]), .rows([]), .wants([]), .finish, .done(isSynced: true), .refusal(.busy),
            .push(.init(reachedEveryone: true, sender: NodeID(1), changes: [])),
        ]
        #expect(walk.map { Array($0.encoded().prefix(2)) } == (1...9).map { [1, $0] })
        #expect(WalkMessage.rowMessages([EncodedRow(row("k"))]).map { Array($0.prefix(2)) } == [[1, 4]])
    }

    @Test(
        "of exchanges in another version only what opens and what refuses is read, and of that no more than is needed")
    func otherVersions() throws {
        for kind: UInt8 in 2...9 where kind != 8 {
            #expect(throws: WalkMessage.Failure.unknownVersion(7)) { try WalkMessage.decode([7, kind, 1, 2, 3]) }
        }
        #expect(try WalkMessage.decode([7, 8, 2]) == .refusal(.otherVersion))
        #expect(try WalkMessage.decode([7, 1, 7, 9, 1, 2, 3]) == .foreignOpen(7...9))
        for bytes: [UInt8] in [[7, 1], [7, 1, 9, 7], [7, 1, 8, 9], [1], []] {
            #expect(throws: WalkMessage.Failure.malformed) { try WalkMessage.decode(bytes) }
        }
    }

    @Test("a message of a version that is not known is counted, told of once a version, and changes nothing else")
    func unknownVersion() {
        var engine = TestedEngine(nodeID: NodeID(1))
        _ = engine.setPeers([peer(2, 1...1)], at: .zero)
        var events: [ReplicationEngine.Effect] = []
        for version: UInt8 in [2, 2, 0, 2, 0] {
            var message = changes(from: 2, sequence: 1, rows: [row("k")])
            message[0] = version
            events += engine.receive([Arrival(message: message, sender: address(2), delivery: .unicast)], at: .zero)
            let push = WalkMessage.Push(reachedEveryone: true, sender: NodeID(2), changes: message)
            events += engine.receive(push, at: .zero)
        }
        #expect(
            events == [
                .emit(.unknownVersion(2, from: address(2))), .emit(.unknownVersion(0, from: address(2))),
            ])
        #expect(engine.stats.unknownVersions == 10 && engine.stats.malformedMessages == 10)
        #expect(engine.stats.receivedMessages == 0 && engine.streams.count == 0)
    }

    @Test("changes with a row of an unknown kind are refused as a whole and counted, and leave a hole")
    func unknownRecord() {
        var engine = TestedEngine(nodeID: NodeID(1))
        _ = engine.setPeers([peer(2, 1...1)], at: .zero)
        _ = engine.open(isSynced: true, at: .zero)
        let message = changes(from: 2, sequence: 1, rows: [row("a")]) + [9, 1, 2, 3]
        #expect(engine.receive([Arrival(message: message, sender: address(2), delivery: .unicast)], at: .zero) == [])
        #expect(engine.stats.unknownRecords == 1 && engine.stats.receivedRows == 0)
        let next = changes(from: 2, sequence: 2, rows: [row("b")])
        _ = engine.receive([Arrival(message: next, sender: address(2), delivery: .unicast)], at: .zero)
        #expect(engine.openGapCount == 1)
    }

    @Test("a peer without a common version is left out, and told of once while it is there")
    func leftOut() {
        var engine = TestedEngine(nodeID: NodeID(1))
        let stranger = peer(3, 2...4)
        func told(_ effects: [ReplicationEngine.Effect]) -> Int {
            effects.count { $0 == .emit(.versionLeftOut(stranger)) }
        }
        #expect(told(engine.setPeers([peer(2, 1...1), stranger], at: .zero)) == 1)
        #expect(engine.peers == [peer(2, 1...1)])
        #expect(told(engine.setPeers([peer(2, 1...1), stranger, peer(4, 1...2)], at: .zero)) == 0)
        #expect(engine.peers.map(\.nodeID) == [NodeID(2), NodeID(4)])
        _ = engine.setPeers([peer(2, 1...1)], at: .zero)
        #expect(told(engine.setPeers([peer(2, 1...1), stranger], at: .zero)) == 1)
        let upgraded = peer(3, 1...4)
        #expect(told(engine.setPeers([peer(2, 1...1), upgraded], at: .zero)) == 0)
        #expect(engine.peers == [peer(2, 1...1), upgraded])
    }
}
