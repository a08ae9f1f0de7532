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

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// Returns how many older ones had to go; the new one itself counts when nothing is taken any more.
    func append(_ command: Command) -> Int {
        lock.withLock {
            if isFinished { return 1 }
            if let key = command.key, let place = places[key] { take(place) }
            compact()
            if let key = command.key { places[key] = commands.count }
            commands.append(command)
            bytes += command.bytes + Self.commandCost
            liveCount += 1
            var lost = 0
            while bytes > maxBytes, head < commands.count {
                if commands[head] != nil {
                    take(head)
                    lost += 1
                }
                head += 1
            }
            return lost
        }
    }

    /// Everything that waits, in order.
    func takeAll() -> [Command] {
        lock.withLock {
            defer { reset() }
            return commands[head...].compactMap { $0 }
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

    /// Gives the places of what was replaced back once they are the larger part. Called with the lock held.
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
