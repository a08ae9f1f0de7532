internal import Transport

/// The streams of others that are followed, the oldest forgotten where there are too many, and which of them moved lately.
///
/// A stream outlives its origin's membership: who comes back goes on where it was.
struct Streams: Sendable {
    /// Heads that a heartbeat tells where all changes go to everyone: of so many each peer tells some, and only those who are
    /// cut off from a writer need them.
    private static let maxDirectHeads = 8

    private let limit: Int
    private var followed: [NodeID: FollowedStream] = [:]
    /// Origins in the order in which they were first seen.
    private var order: [NodeID] = []
    /// Streams that moved, and how: heartbeats tell their heads.
    private var moved: [NodeID: Move] = [:]
    /// What the answer of the first sync's donor covers; `nil` before there is one.
    private var answer: [NodeID: ReplicationMessage.StreamHead]?

    private struct Move: Sendable {
        var at: EngineInstant
        var isEpidemic: Bool
    }

    init(limit: Int) { self.limit = limit }

    var count: Int { followed.count }
    var movedCount: Int { moved.count }
    /// Of all streams, the most numbers beyond a hole.
    var maxPendingCount: Int { followed.values.reduce(0) { max($0, $1.window.pendingCount) } }

    subscript(origin: NodeID) -> FollowedStream? { followed[origin] }

    /// Changes a stream where it is; `nil` when it is not followed.
    @discardableResult
    mutating func update<Result>(_ origin: NodeID, _ body: (inout FollowedStream) -> Result) -> Result? {
        guard let index = followed.index(forKey: origin) else { return nil }
        return body(&followed.values[index])
    }

    /// Whether that number of this start has arrived, or is known by a walk.
    func has(_ sequence: UInt64, of id: StreamID) -> Bool {
        followed[id.origin].map { $0.start == id.start && $0.window.has(sequence) } ?? false
    }

    /// Whether a later start of the origin is followed.
    func isOfEarlierStart(_ id: StreamID) -> Bool { followed[id.origin].map { $0.start > id.start } ?? false }

    /// Makes sure that the stream is followed, and knows that it has come to `head`. One not seen before is followed from
    /// where a donor's answer ends. `isSyncing`: the answer may be still to come, and is taken to bring all that was sent before
    /// now.
    mutating func open(_ id: StreamID, head: UInt64, isSyncing: Bool) {
        let known = followed[id.origin]
        if let known {
            guard id.start > known.start else {
                if id.start == known.start { update(id.origin) { $0.noteEnd(head) } }
                return
            }
        } else {
            order.append(id.origin)
            if order.count > limit { followed[order.removeFirst()] = nil }
        }
        let isUnanswered = isSyncing && answer == nil && known == nil
        var window = StreamWindow(head: isUnanswered ? head : min(head, answered(id)))
        window.noteEnd(head)
        followed[id.origin] = FollowedStream(start: id.start, window: window, isExpectant: isSyncing && known == nil)
    }

    // MARK: The first sync

    private func answered(_ id: StreamID) -> UInt64 {
        guard let told = answer?[id.origin], told.stream.start == id.start else { return 0 }
        return told.head
    }

    /// A donor's answer brings what was sent up to these heads, and nothing of streams that are not among them. Gives the
    /// streams of which something is missing, in order.
    mutating func expect(_ heads: [ReplicationMessage.StreamHead]) -> [NodeID] {
        answer = Dictionary(heads.prefix(WalkMessage.maxHeads).map { ($0.stream.origin, $0) }) { first, _ in first }
        for (origin, stream) in followed {
            let first = answered(StreamID(origin: origin, start: stream.start))
            update(origin) { $0.expect(upTo: first) }
        }
        return followed.keys.filter { followed[$0]?.hasGap == true }.sorted()
    }

    /// No answer came, or not all of it.
    mutating func expectNothing() { answer = nil }

    /// How far these streams have come, as far as everything up to there is in the store. `firstUnmerged`: what is not yet.
    func storedHeads(
        of origins: some Sequence<NodeID>, firstUnmerged: [StreamID: UInt64]
    ) -> [ReplicationMessage.StreamHead] {
        origins.compactMap { origin in
            guard let stream = followed[origin] else { return answer?[origin] }
            return storedHead(of: stream, origin, firstUnmerged: firstUnmerged)
        }
    }

    private func storedHead(
        of stream: FollowedStream, _ origin: NodeID, firstUnmerged: [StreamID: UInt64]
    ) -> ReplicationMessage.StreamHead? {
        // What was given up before its head, or came before all, may be missing in the store.
        guard !stream.window.isDamaged, !stream.lacksBeginning else { return nil }
        let id = StreamID(origin: origin, start: stream.start)
        return .init(stream: id, head: min(stream.window.head, firstUnmerged[id].map { $0 - 1 } ?? .max))
    }

    /// Follows the stream anew, as its origin tells of it; something may have been lost.
    mutating func reopen(_ id: StreamID, head: UInt64) {
        var window = StreamWindow(head: head)
        window.noteLost()
        followed[id.origin] = FollowedStream(start: id.start, window: window)
    }

    // MARK: Heads

    mutating func noteMoved(_ origin: NodeID, isEpidemic: Bool, at now: EngineInstant) {
        moved[origin] = Move(at: now, isEpidemic: isEpidemic)
    }

    /// Heads of the streams that moved lately, or of some of them by lot: as far as everything up to there is in the store.
    /// `firstUnmerged`: what is not yet.
    mutating func movedHeads(
        _ configuration: ReplicationConfiguration, firstUnmerged: [StreamID: UInt64],
        using generator: inout SeededGenerator, at now: EngineInstant
    ) -> [ReplicationMessage.StreamHead] {
        guard !moved.isEmpty else { return [] }
        moved = moved.filter { now - $0.value.at < configuration.headsInterval && followed[$0.key] != nil }
        let isEpidemic = moved.values.contains(where: \.isEpidemic)
        let limit = min(configuration.maxHeads, isEpidemic ? .max : Self.maxDirectHeads)
        var origins = moved.keys.sorted()
        if origins.count > limit { origins.shuffle(using: &generator) }
        return origins.prefix(limit).compactMap { origin in
            followed[origin].flatMap { storedHead(of: $0, origin, firstUnmerged: firstUnmerged) }
        }
    }
}
