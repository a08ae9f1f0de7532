internal import class Foundation.NSLock
import Transport

/// What other tasks want sent on one channel, until the owner thread takes it: bounded by bytes, the oldest goes first,
/// and a newer broadcast takes the place of one with the same key.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class CommandQueue: @unchecked Sendable {
    enum Command: Sendable {
        case send([UInt8], PeerAddress)
        case broadcast([UInt8], BroadcastOptions)
    }

    /// What a command counts besides its message.
    private static let commandCost = 64

    private let lock = NSLock()
    private let maxBytes: Int
    private var commands: [Command?] = []
    private var head = 0
    private var bytes = 0
    private var liveCount = 0
    /// Where the queued broadcast with this key stands.
    private var places: [String: Int] = [:]
    private var isFinished = false
    /// Something was added since `take`, and the owner thread was told to be woken.
    private var isAnnounced = false
    private var lost = 0

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Whether the owner thread is to be woken. What has to go, older ones or after `finish` this one, is counted.
    func append(_ command: Command) -> Bool {
        lock.withLock {
            if isFinished {
                lost += 1
                return false
            }
            if let key = command.key, let place = places[key] { take(place) }
            compact()
            if let key = command.key { places[key] = commands.count }
            commands.append(command)
            bytes += command.bytes + Self.commandCost
            liveCount += 1
            while bytes > maxBytes, head < commands.count {
                if commands[head] != nil {
                    take(head)
                    lost += 1
                }
                head += 1
            }
            defer { isAnnounced = true }
            return !isAnnounced
        }
    }

    /// What waits now, 64 bytes added for each.
    var waiting: TransportStats.Traffic { lock.withLock { .init(messages: liveCount, bytes: bytes) } }

    /// What was taken in one go.
    struct Batch: Sendable {
        /// In order; `nil` where one was replaced.
        var commands: ArraySlice<Command?>
        /// Whether others are left.
        var hasMore: Bool
        /// How many had to go since the last time.
        var lost: Int
    }

    /// The oldest ones, until they have `limit` bytes or more, 64 added for each.
    func take(limit: Int) -> Batch {
        lock.withLock {
            isAnnounced = false
            defer { lost = 0 }
            let first = head
            if bytes <= limit {
                let all = commands
                reset()
                return Batch(commands: all[first...], hasMore: false, lost: lost)
            }
            let goal = bytes - limit
            var taken: [Command?] = []
            while bytes > goal, head < commands.count {
                if let command = commands[head] { taken.append(command) }
                take(head)
                head += 1
            }
            return Batch(commands: taken[...], hasMore: liveCount > 0, lost: lost)
        }
    }

    /// From here on nothing is taken.
    func finish() {
        lock.withLock {
            isFinished = true
            reset()
        }
    }

    /// Called with the lock held.
    private func take(_ place: Int) {
        guard let command = commands[place] else { return }
        commands[place] = nil
        bytes -= command.bytes + Self.commandCost
        liveCount -= 1
        if let key = command.key, places[key] == place { places[key] = nil }
    }

    /// Gives the places of what was replaced or taken back once they are the larger part. Called with the lock held.
    private func compact() {
        guard commands.count > 4_096, commands.count > 2 * liveCount else { return }
        commands = commands[head...].filter { $0 != nil }
        head = 0
        places = [:]
        for (place, command) in commands.enumerated() {
            if let key = command?.key { places[key] = place }
        }
    }

    /// Called with the lock held.
    private func reset() {
        liveCount = 0
        commands = []
        head = 0
        bytes = 0
        places = [:]
    }
}

extension CommandQueue.Command {
    fileprivate var key: String? {
        if case .broadcast(_, let options) = self { options.replacing } else { nil }
    }

    fileprivate var bytes: Int {
        switch self {
        case .send(let message, _): message.count
        case .broadcast(let message, _): message.count
        }
    }
}
