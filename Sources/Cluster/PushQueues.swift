internal import Transport

/// Changes that are too large to broadcast and wait to go by exchange: one exchange at a time for each peer, and all that
/// waits for it over that one.
///
/// What does not fit is dropped: the peer's root differs then, and a walk brings it.
struct PushQueues: Sendable {
    /// Bytes that wait for one peer. A walk is the better way beyond it.
    static let maxBytesPerPeer = 4 * 1024 * 1024
    /// Bytes that wait for all peers together. A message that waits for several peers is in memory once.
    static let maxBytes = 64 * 1024 * 1024

    private struct Queue: Sendable {
        var messages: [[UInt8]] = []
        var bytes = 0
    }

    /// One for each peer that an exchange is open with, or being dialled.
    private var queues: [PeerAddress: Queue] = [:]
    private var bytes = 0

    var occupancy: Occupancy { Occupancy("bytes of pushes", bytes, limit: Self.maxBytes) }

    /// `true` when no exchange with this peer is there yet.
    mutating func add(_ message: [UInt8], for peer: PeerAddress) -> Bool {
        let isNew = queues[peer] == nil
        var queue = queues.removeValue(forKey: peer) ?? Queue()
        if queue.bytes + message.count <= Self.maxBytesPerPeer, bytes + message.count <= Self.maxBytes {
            queue.messages.append(message)
            queue.bytes += message.count
            bytes += message.count
        }
        queues[peer] = queue
        return isNew
    }

    /// The next message for this peer. `nil`: nothing waits, and the peer needs an exchange anew for what follows.
    mutating func next(for peer: PeerAddress) -> [UInt8]? {
        guard var queue = queues.removeValue(forKey: peer), !queue.messages.isEmpty else { return nil }
        let message = queue.messages.removeFirst()
        queue.bytes -= message.count
        bytes -= message.count
        queues[peer] = queue
        return message
    }

    /// The exchange with this peer is gone.
    mutating func drop(_ peer: PeerAddress) {
        if let queue = queues.removeValue(forKey: peer) { bytes -= queue.bytes }
    }
}
