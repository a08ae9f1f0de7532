import DequeModule
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

    /// In order; `nil` where one was replaced.
    typealias Commands = Deque<Command?>

    /// What was taken in one go.
    struct Batch: Sendable {
        var commands: Commands
        /// Whether others are left.
        var hasMore: Bool
        /// How many had to go since the last time.
        var lost: Int
    }

    /// What a command counts besides its message.
    fileprivate static let commandCost = 64

    private let lock = NSLock()
    private let maxBytes: Int
    private var commands = Commands()
    /// How many were before the first of `commands`: a place is a number of this count.
    private var firstPlace = 0
    /// Where the queued broadcast with this key stands.
    private var places: [String: Int] = [:]
    private var waitingTraffic = TransportStats.Traffic()
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
            compact()
            if let key = command.key {
                if let place = places.updateValue(firstPlace + commands.count, forKey: key) { replace(place) }
            }
            commands.append(command)
            waitingTraffic.add(bytes: command.cost)
            while waitingTraffic.bytes > maxBytes, !commands.isEmpty {
                if popFirst() != nil { lost += 1 }
            }
            defer { isAnnounced = true }
            return !isAnnounced
        }
    }

    /// What waits now, 64 bytes added for each.
    var waiting: TransportStats.Traffic { lock.withLock { waitingTraffic } }

    /// The oldest ones, until they have `limit` bytes or more, 64 added for each.
    func take(limit: Int) -> Batch {
        lock.withLock {
            isAnnounced = false
            defer { lost = 0 }
            if waitingTraffic.bytes <= limit { return Batch(commands: takeAll(), hasMore: false, lost: lost) }
            let goal = waitingTraffic.bytes - limit
            var taken = Commands()
            while waitingTraffic.bytes > goal, !commands.isEmpty {
                if let command = popFirst() { taken.append(command) }
            }
            return Batch(commands: taken, hasMore: waitingTraffic.messages > 0, lost: lost)
        }
    }

    /// From here on nothing is taken. Returns how many had to go that `take` has not told of.
    @discardableResult
    func finish() -> Int {
        lock.withLock {
            isFinished = true
            lost += waitingTraffic.messages
            _ = takeAll()
            defer { lost = 0 }
            return lost
        }
    }

    /// `nil` where the first was replaced. Called with the lock held.
    private func popFirst() -> Command? {
        defer { firstPlace += 1 }
        guard let command = commands.removeFirst() else { return nil }
        uncount(command)
        if let key = command.key, places[key] == firstPlace { places[key] = nil }
        return command
    }

    /// A newer one has taken the key. Called with the lock held.
    private func replace(_ place: Int) {
        guard let command = commands[place - firstPlace] else { return }
        commands[place - firstPlace] = nil
        uncount(command)
    }

    private func uncount(_ command: Command) {
        waitingTraffic.messages -= 1
        waitingTraffic.bytes -= command.cost
    }

    /// Called with the lock held.
    private func takeAll() -> Commands {
        defer { (commands, firstPlace, places, waitingTraffic) = (Commands(), 0, [:], .init()) }
        return commands
    }

    /// Gives back the places of what was replaced once they are the larger part. Called with the lock held.
    private func compact() {
        guard commands.count > 4_096, commands.count > 2 * waitingTraffic.messages else { return }
        commands.removeAll { $0 == nil }
        firstPlace = 0
        places = [:]
        for (place, command) in commands.enumerated() {
            if let key = command?.key { places[key] = place }
        }
    }
}

extension CommandQueue.Command {
    fileprivate var key: String? {
        if case .broadcast(_, let options) = self { options.replacing } else { nil }
    }

    fileprivate var cost: Int {
        switch self {
        case .send(let message, _), .broadcast(let message, _): message.count + CommandQueue.commandCost
        }
    }
}
