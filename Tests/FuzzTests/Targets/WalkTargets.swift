import Simulation
import TestSupport
import Transport

@testable import Replication

extension FuzzTarget {
    static let walks = [
        FuzzTarget(
            name: "walk-messages",
            samples: { random in
                (0..<200).map { _ in random.walkMessage().encoded() } + (try random.conversations()).flatMap { $0 }
            },
            check: { input in
                guard let message = try? WalkMessage.decode(input) else { return }
                let encoded = message.encoded()
                try require(encoded.count <= input.count, "\(input.count) bytes became \(encoded.count)")
                try require(try WalkMessage.decode(encoded) == message, "a message is read as another")
                guard case .rows(let rows) = message else { return }
                let bytes = WalkMessage.rowMessages(rows).reduce(0) { $0 + $1.count }
                try require(bytes <= 2 * input.count, "rows of \(input.count) bytes are sent as \(bytes)")
            }),
        FuzzTarget(
            name: "walk-initiator", samples: { try $0.scripts(toInitiator: true) },
            check: { try checkWalk(WalkInitiator(node: NodeID(1)), replica: replica, $0) }),
        FuzzTarget(
            name: "walk-initiator-empty", samples: { try $0.scripts(toInitiator: true) },
            check: { try checkWalk(WalkInitiator(node: NodeID(1)), replica: MemoryReplica(nodeID: NodeID(1)), $0) }),
        FuzzTarget(
            name: "walk-responder", samples: { try $0.scripts(toInitiator: false) },
            check: { try checkWalk(WalkResponder(node: NodeID(1), isSynced: true), replica: replica, $0) }),
    ]

    private static let replica: MemoryReplica = {
        var random = RandomValues(seed: 7)
        return random.replica(of: 40, node: 1)
    }()

    /// The script: length u16 and message, again and again, as the other side sends them. One side of a walk reads them
    /// over its own replica, to its end or until it has had enough.
    private static func checkWalk(_ walk: some Walk, replica: MemoryReplica, _ input: [UInt8]) throws {
        var (walk, replica) = (walk, replica)
        var reader = ByteReader(input)
        var turn = walk.begin()
        var sentBytes = 0
        var askedInARow = 0
        while true {
            sentBytes += turn.messages.reduce(0) { $0 + $1.count }
            for message in turn.messages {
                try require(message.count <= 2 * WalkMessage.targetBytes, "a message of \(message.count) bytes is sent")
            }
            // All rows, and sums or digests of whatever was asked for.
            try require(sentBytes <= 1 << 20 + 64 * input.count, "\(sentBytes) bytes are sent for \(input.count)")
            switch turn.next {
            case .finished: return
            case .ask(let request):
                askedInARow += 1
                try require(askedInARow < 300, "the store is asked for ever")
                if case .digests(let buckets, _) = request {
                    try require(buckets.count <= WalkInitiator.maxBatchBuckets, "\(buckets.count) buckets at once")
                }
                let answer = replica.answer(request, at: WallReading(milliseconds: 0))
                guard let next = try? walk.answered(answer) else { return }
                turn = next
            case .receive:
                askedInARow = 0
                guard let length = try? reader.integer(UInt16.self) else { return }
                let bytes = Array((try? reader.slice(Int(length))) ?? reader.rest)
                guard let message = try? WalkMessage.decode(bytes),
                    let next = try? walk.received(message)
                else { return }
                turn = next
            }
        }
    }
}

extension RandomValues {
    fileprivate mutating func walkMessage() -> WalkMessage {
        let sums = (0..<256).map { _ in number(UInt64.self) }
        switch int(10) {
        case 0:
            let summary = TreeSummary(root: number(), count: number())
            return .open(
                .init(
                    lowestVersion: 1, highestVersion: max(1, number()), node: NodeID(number()), summary: summary,
                    topSums: summary.count == 0 ? [] : sums))
        case 1: return .sums((0..<int(3)).map { _ in .init(top: number(), sums: sums) })
        case 2:
            return .digests(
                (0..<int(4)).map { _ in
                    let bucket = number(UInt16.self)
                    let whole = BucketDigests.whole(bucket)
                    let first = whole.lowerBound + number(UInt64.self) >> 17
                    return BucketDigests(
                        bucket: bucket,
                        entries: (0..<int(5)).map { _ in .init(keyHash: number(), rowHash: number()) },
                        span: bool() ? whole : first...(first + number(UInt64.self) >> 17))
                })
        case 3: return .rows(rows(upTo: 5).encoded)
        case 4:
            return .wants(
                (0..<int(4)).map { _ in
                    BucketWant(bucket: number(), keyHashes: (0..<int(5)).map { _ in number() })
                })
        case 5: return .finish
        case 6: return .done(.init(isSynced: bool(), hasAll: bool()))
        case 9:
            let heads = (0..<int(4)).map { _ in
                ReplicationMessage.StreamHead(
                    stream: StreamID(origin: NodeID(number()), start: number()), head: number())
            }
            return .accepted(wallMilliseconds: number(), heads: heads)
        case 7: return .refusal(pick([.busy, .otherVersion, .sameNode]))
        default: return .push(.init(reachedEveryone: bool(), sender: NodeID(number()), changes: bytes(upTo: 60)))
        }
    }

    fileprivate mutating func replica(of count: Int, node: UInt64) -> MemoryReplica {
        var replica = MemoryReplica(nodeID: NodeID(node))
        _ = replica.merge((0..<count).map { _ in row() })
        return replica
    }

    /// What is said in walks between replicas that differ a little, to the initiator and to the responder by turns.
    fileprivate mutating func conversations() throws -> [[[UInt8]]] {
        try (0..<8).flatMap { number -> [[[UInt8]]] in
            var left = replica(of: 40, node: 3)
            var right = number == 0 ? replica(of: 40, node: 2) : left
            if number == 1 { left = MemoryReplica(nodeID: NodeID(3)) }
            _ = left.merge(rows(upTo: 3))
            _ = right.merge(rows(upTo: 3))
            let run = try WalkPair.run(&left, &right, responderNode: NodeID(2))
            return [run.toInitiator, run.toResponder]
        }
    }

    fileprivate mutating func scripts(toInitiator: Bool) throws -> [[UInt8]] {
        let heard = try conversations().enumerated().filter { ($0.offset % 2 == 0) == toInitiator }.map(\.element)
        let random = (0..<50).map { _ in (0..<(1 + int(6))).map { _ in walkMessage().encoded() } }
        return (heard + random).map { messages in
            messages.reduce(into: []) { script, message in
                script.append(bigEndian: UInt16(clamping: message.count))
                script += message.prefix(Int(UInt16.max))
            }
        }
    }
}
