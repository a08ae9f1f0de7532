internal import Transport

/// The merges that the store was asked for and has not answered: whose rows they are, and what to pass on of them.
struct MergeLedger: Sendable {
    /// A message whose rows are being merged.
    struct Message: Sendable {
        let stream: StreamID
        let sequence: UInt64
        /// Where its rows stand in the merge.
        let rows: Range<Int>
        /// What to send on, and whom to leave out, should a row of it be news.
        let relay: (message: [UInt8], skipping: [PeerAddress])?
    }

    /// Messages that go into one merge, and their rows.
    struct Batch: Sendable {
        private(set) var rows: [EncodedRow] = []
        private(set) var messages: [Message] = []

        mutating func append(
            _ changes: ReplicationMessage.Changes, relay: (message: [UInt8], skipping: [PeerAddress])?
        ) {
            let range = rows.count..<(rows.count + changes.rows.count)
            rows += changes.rows
            messages.append(
                Message(stream: changes.stream, sequence: changes.sequence, rows: range, relay: relay))
        }
    }

    private var messages: [ReplicationEngine.MergeToken: [Message]] = [:]
    private var count: UInt64 = 0

    var isEmpty: Bool { messages.isEmpty }

    /// Of each stream the least number that has arrived and is not in the store yet.
    var firstUnmerged: [StreamID: UInt64] {
        var first: [StreamID: UInt64] = [:]
        for message in messages.values.joined() {
            first[message.stream] = min(first[message.stream] ?? message.sequence, message.sequence)
        }
        return first
    }

    /// Keeps the messages until the merge is done or has failed; `nil` when there is nothing to merge.
    mutating func begin(_ batch: Batch) -> ReplicationEngine.MergeToken? {
        guard !batch.rows.isEmpty else { return nil }
        count += 1
        let token = ReplicationEngine.MergeToken(number: count)
        messages[token] = batch.messages
        return token
    }

    /// The messages of a merge that has ended; none for one that is not under way.
    mutating func end(_ token: ReplicationEngine.MergeToken) -> [Message] {
        messages.removeValue(forKey: token) ?? []
    }
}
