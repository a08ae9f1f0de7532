import Transport

@testable import Replication

extension FuzzTarget {
    static let replication = [
        FuzzTarget(
            name: "rows", samples: { random in (0..<300).map { _ in RowCodec.encode(random.row()) } },
            check: { input in
                var reader = ByteReader(input)
                guard let encoded = try? RowCodec.decode(from: &reader) else { return }
                let (row, bytes) = (encoded.row, encoded.bytes)
                try require(row.isValid, "a row is read that is not valid")
                try require(bytes == input[..<reader.position], "a row comes with other bytes")
                try require(RowCodec.encode(row)[...] == bytes, "a row has two forms")
                try require(1 + row.maxBodyBytes >= reader.position, "a row takes more than its bound")
                try require(row.merged(with: row) == row, "a row and itself make another")
            }),
        FuzzTarget(
            name: "replication-messages",
            samples: { random in (0..<200).map { _ in random.replicationMessage() } },
            check: { input in
                guard let message = try? ReplicationMessage.decode(input[...]) else { return }
                switch message {
                case .changes(let changes):
                    var encoded = ReplicationMessage.changesHeader(stream: changes.stream, sequence: changes.sequence)
                    for row in changes.rows { encoded += RowCodec.encode(row.row) }
                    try require(encoded == input, "changes have two forms")
                case .heartbeat(let heartbeat):
                    let again = try ReplicationMessage.decode(ReplicationMessage.encode(heartbeat)[...])
                    try require(again == message, "a heartbeat is read as another")
                case .pull(let pull):
                    try require(ReplicationMessage.encode(pull) == input, "a pull has two forms")
                    let count = pull.ranges.reduce(0) { $0 + $1.count }
                    try require((1...ReplicationMessage.Pull.maxNumbers).contains(count), "a pull for \(count)")
                }
            }),
        FuzzTarget(
            name: "replication-engine",
            samples: { random in
                (0..<100).map { _ in
                    (0..<(1 + random.int(6))).reduce(into: []) { script, _ in
                        let message = random.replicationMessage()
                        script.append(bigEndian: UInt16(message.count))
                        script += message
                    }
                }
            }, check: checkEngine),
    ]

    /// The script: length u16 and message, again and again; the store takes what it is given.
    private static func checkEngine(_ input: [UInt8]) throws {
        var engine = ReplicationEngine(configuration: ReplicationConfiguration(), nodeID: NodeID(1), start: 1, seed: 1)
        func address(_ number: UInt32) -> PeerAddress { PeerAddress(host: .v4(0x0a00_0000 + number), port: 7946) }
        _ = engine.open(isSynced: true, summary: .empty, at: .zero)
        _ = engine.setPeers(
            (2...4).map { ReplicationPeer(nodeID: NodeID(UInt64($0)), address: address($0)) },
            summary: .empty, at: .zero)
        var reader = ByteReader(input)
        var now = EngineInstant.zero
        while let length = try? reader.integer(UInt16.self) {
            let message = Array((try? reader.slice(Int(length))) ?? reader.rest)
            now = now + .milliseconds(Int64(length % 700))
            var effects = engine.advance(to: now, summary: .empty)
            effects += engine.receive(
                [
                    Arrival(
                        message: message, sender: address(2 + UInt32(length % 3)),
                        delivery: .broadcast(reachedEveryone: length % 2 == 0))
                ], summary: .empty, at: now)
            for case .merge(let token, let rows) in effects {
                try require(rows.count * 19 <= message.count, "\(rows.count) rows in \(message.count) bytes")
                let outcome = MergeOutcome(isNews: rows.map { _ in true })
                for case .broadcast(let relayed, _) in engine.merged(token, outcome, at: now) {
                    try require(relayed == message, "something else is passed on")
                }
            }
            if reader.isAtEnd { break }
        }
        _ = engine.advance(to: now + .seconds(60), summary: .empty)
    }
}

extension RandomValues {
    fileprivate mutating func replicationMessage() -> [UInt8] {
        let origin = NodeID(bool() ? UInt64(1 + int(5)) : number())
        let stream = StreamID(origin: origin, start: number())
        if int(6) == 0 {
            let first = max(1, number() as UInt64 >> 8)
            let ranges = [first...(first + UInt64(int(30))), (first + 40)...(first + 40 + UInt64(int(20)))]
            return ReplicationMessage.encode(.init(stream: stream, ranges: Array(ranges.prefix(1 + int(2)))))
        }
        guard int(4) > 0 else {
            let summary = TreeSummary(root: number(), count: number())
            let others = (0..<int(4)).map { _ in
                ReplicationMessage.StreamHead(
                    stream: StreamID(origin: NodeID(UInt64(1 + int(5))), start: number()), head: number())
            }
            return ReplicationMessage.encode(
                .init(
                    stream: stream, head: number(), summary: summary, isReady: bool(), isSynced: bool(),
                    witness: bool() ? number() : nil, others: others)
            )
        }
        var bytes = ReplicationMessage.changesHeader(stream: stream, sequence: max(1, number()))
        for row in rows(upTo: 5) { bytes += RowCodec.encode(row) }
        return bytes
    }
}
