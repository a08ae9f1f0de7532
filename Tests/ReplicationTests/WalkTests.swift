@testable import Replication
import Testing
import TestSupport
import Transport

@Suite("Walks")
struct WalkTests {
    @Test("a copied database is refused by its id, another version by its number")
    func refusals() throws {
        var responder = WalkResponder(node: NodeID(1), isSynced: true)
        _ = responder.begin()
        let open = WalkMessage.Open(
            lowestVersion: 1, highestVersion: 1, node: NodeID(1), summary: .empty, topSums: [])
        let same = try responder.received(.open(open))
        #expect(same.messages == [WalkMessage.refusal(.sameNode).encoded()])
        var other = WalkResponder(node: NodeID(1), isSynced: true)
        let refused = try other.received(.foreignOpen(9...12))
        #expect(refused.messages == [WalkMessage.refusal(.otherVersion).encoded()])
        var initiator = WalkInitiator(node: NodeID(2))
        #expect(throws: WalkFailure.refused(.busy)) { _ = try initiator.received(.refusal(.busy)) }
    }

    @Test("messages out of place end the walk with an error, in every state")
    func unexpected() throws {
        let messages: [WalkMessage] = [
            .finish, .rows([]), .wants([]), .digests([]), .sums([]), .done(isSynced: true),
            .accepted(wallMilliseconds: 5),
            .push(.init(reachedEveryone: true, sender: NodeID(1), changes: [])),
        ]
        for message in messages {
            var responder = WalkResponder(node: NodeID(1), isSynced: true)
            #expect(throws: WalkFailure.unexpectedMessage) { _ = try responder.received(message) }
        }
        for message in messages {
            var initiator = WalkInitiator(node: NodeID(1))
            #expect(throws: WalkFailure.unexpectedMessage) { _ = try initiator.received(message) }
        }
    }

    @Test("every message comes back as it was", arguments: WalkMessageSamples.all)
    func roundTrip(message: WalkMessage) throws {
        #expect(try WalkMessage.decode(message.encoded()) == message)
    }
}

enum WalkMessageSamples {
    static var all: [WalkMessage] {
        var random = RandomRows(seed: 9)
        let sums = (0..<256).map { _ in random.generator.next() }
        return [
            .open(
                .init(
                    lowestVersion: 1, highestVersion: 3, node: NodeID(7), wallMilliseconds: 1_234,
                    summary: TreeSummary(root: 99, count: 3),
                    topSums: sums)),
            .open(.init(lowestVersion: 1, highestVersion: 1, node: NodeID(7), summary: .empty, topSums: [])),
            .foreignOpen(2...9),
            .sums([.init(top: 3, sums: sums), .init(top: 255, sums: sums)]), .sums([]),
            .digests([BucketDigests(bucket: 65_535, entries: [.init(keyHash: 1, rowHash: .max)])]),
            .rows((0..<20).map { EncodedRow(random.row(key: ByteString("k\($0)"))) }), .rows([]),
            .wants([BucketWant(bucket: 2, keyHashes: [1, 2, 3])]), .finish, .done(isSynced: true),
            .done(isSynced: false), .done(.init(isSynced: true, hasAll: false)), .accepted(wallMilliseconds: .max),
            .digests(
                BucketDigests(bucket: 9, entries: (0..<9).map { .init(keyHash: 9 << 48 | $0 / 2, rowHash: $0) })
                    .parts(of: 3)),
            .refusal(.busy), .push(.init(reachedEveryone: true, sender: NodeID(4), changes: [1, 2, 3])),
        ]
    }
}
