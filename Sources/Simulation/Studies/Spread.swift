internal import Replication
internal import Transport

/// How long writes take to reach the nodes of a cluster: of todos that are written once, when each node first has them.
package struct Spread: Sendable {
    private struct Write: Sendable {
        var committedAt: EngineInstant
        var count = 1
        var half: Duration?
        var most: Duration?
        var all: Duration?
    }

    private let nodeCount: Int
    private var writes: [ByteString: Write] = [:]

    package init(nodeCount: Int) { self.nodeCount = nodeCount }

    mutating func committed(_ key: ByteString, at now: EngineInstant) {
        // Todos that clients share are written again and again.
        guard writes[key] == nil, !key.string.hasPrefix("shared") else { return }
        writes[key] = Write(committedAt: now)
    }

    mutating func merged(_ key: ByteString, at now: EngineInstant) {
        guard var write = writes[key] else { return }
        write.count += 1
        let time = now - write.committedAt
        if write.half == nil, write.count * 2 >= nodeCount { write.half = time }
        if write.most == nil, write.count * 100 >= nodeCount * 99 { write.most = time }
        if write.count == nodeCount { write.all = time }
        writes[key] = write
    }

    package var count: Int { writes.count }
    /// Writes that are not everywhere yet.
    package var unfinishedCount: Int { writes.values.count { $0.all == nil } }
    /// For each write the time until half of the nodes, 99 % of them, and all had it; sorted, unfinished ones left out.
    package var halfTimes: [Duration] { writes.values.compactMap(\.half).sorted() }
    package var mostTimes: [Duration] { writes.values.compactMap(\.most).sorted() }
    package var allTimes: [Duration] { writes.values.compactMap(\.all).sorted() }
}
