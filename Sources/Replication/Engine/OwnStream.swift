internal import Transport

/// What this node tells of itself: its commits in numbered messages, kept for a while for peers that lack some, and when
/// its next heartbeat is due.
struct OwnStream: Sendable {
    let id: StreamID
    /// The last number given.
    private(set) var head: UInt64 = 0
    private(set) var nextHeartbeat = EngineInstant.zero
    private var recent: RecentChanges
    /// What pulls may still ask for. All peers share it.
    private var pullBudget = RateWindow(every: .seconds(1))
    private let maxPullBytesPerSecond: Int
    private let maxMessageBytes: Int

    init(_ id: StreamID, _ configuration: ReplicationConfiguration) {
        self.id = id
        recent = RecentChanges(maxBytes: configuration.maxRecentBytes)
        maxPullBytesPerSecond = configuration.maxPullBytesPerSecond
        maxMessageBytes = configuration.maxMessageBytes
    }

    var recentBytes: Int { recent.bytes }

    /// The rows in messages with the next numbers, each as full as the transport takes. A row that is larger has a message
    /// of its own.
    mutating func number(_ rows: [EncodedRow], version: UInt8) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var message: [UInt8] = []
        for row in rows {
            if message.isEmpty || message.count + row.bytes.count > maxMessageBytes {
                if !message.isEmpty { messages.append(message) }
                head += 1
                message = ReplicationMessage.changesHeader(stream: id, sequence: head, version: version)
            }
            message += row.bytes
        }
        if !message.isEmpty { messages.append(message) }
        for message in messages { recent.append(message) }
        return messages
    }

    /// The messages that a peer lacks, as far as they are kept and there is room for them in this second.
    mutating func messages(for pull: ReplicationMessage.Pull, at now: EngineInstant) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        for sequence in pull.ranges.joined() {
            guard let message = recent[sequence] else { continue }
            guard pullBudget.take(message.count, of: maxPullBytesPerSecond, at: now) else { break }
            messages.append(message)
        }
        return messages
    }

    /// The next heartbeat goes out at `instant` or earlier.
    mutating func hastenHeartbeat(to instant: EngineInstant) { nextHeartbeat = min(nextHeartbeat, instant) }

    /// A heartbeat goes out now.
    mutating func heartbeatSent(next: EngineInstant) { nextHeartbeat = next }
}
