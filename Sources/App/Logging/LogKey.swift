internal import Logging

/// The keys of log metadata: constant text in the message, variables here.
enum LogKey: String {
    case nodeName = "node.name"
    case nodeID = "node.id"
    case peerName = "peer.name"
    case peerAddress = "peer.address"
    case peerID = "peer.id"
    case transport
    case bindAddress = "bind.address"
    case advertiseAddress = "advertise.address"
    case url
    case reason
    case seed
    case cause
    case count
    case repeats
    case path
    case reloaded
    case method = "http.method"
    case operation = "http.operation"
    case status = "http.status"
    case incarnation = "membership.incarnation"
    case merged = "replication.merged"
    case roundTrips = "replication.round_trips"
    case sent = "replication.sent"
    case received = "replication.received"
    case aheadMilliseconds = "replication.ahead_ms"
    case durationMilliseconds = "duration_ms"
    case todoCount = "store.todos"
    case takenOver = "store.taken_over"
    case edited = "store.edited"
    case removed = "store.removed"
}

extension Logger {
    /// Logs a constant text with variables under keys from one list.
    func log(_ level: Level, _ message: Message, _ metadata: KeyValuePairs<LogKey, any CustomStringConvertible>) {
        guard level >= logLevel else { return }
        var values = Metadata()
        for (key, value) in metadata { values[key.rawValue] = .string(value.description) }
        log(level: level, message, metadata: values)
    }
}
