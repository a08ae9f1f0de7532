internal import Logging
internal import Transport

/// Logs the first of what repeats at once, then counts, and logs the count when the interval is over: a peer with a wrong
/// key is one line, not one a second.
struct RepeatedLog {
    /// Things told apart at once. Beyond it the oldest is forgotten, and would be logged again.
    private static let maxKeys = 256

    private struct Entry {
        var loggedAt: EngineInstant
        var repeats: Int
    }

    private let interval: Duration
    private var entries: [String: Entry] = [:]
    private var order: [String] = []

    init(interval: Duration = .seconds(600)) { self.interval = interval }

    /// Whether to log now, and how often it happened unlogged since the last time; `nil`: only counted.
    mutating func note(_ key: String, at now: EngineInstant) -> Int? {
        if let entry = entries[key] {
            guard now - entry.loggedAt >= interval else {
                entries[key]?.repeats += 1
                return nil
            }
            entries[key] = Entry(loggedAt: now, repeats: 0)
            return entry.repeats
        }
        if order.count >= Self.maxKeys { entries[order.removeFirst()] = nil }
        order.append(key)
        entries[key] = Entry(loggedAt: now, repeats: 0)
        return 0
    }

    /// It is over: the next time is news again.
    mutating func clear(_ key: String) {
        guard entries.removeValue(forKey: key) != nil else { return }
        order.removeAll { $0 == key }
    }
}
