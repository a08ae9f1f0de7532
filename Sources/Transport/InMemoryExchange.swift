internal import class Foundation.NSLock

/// One end of an exchange within an `InMemoryNetwork`.
final class InMemoryExchange: Exchange {
    let peer: PeerAddress
    let pipe: InMemoryPipe
    private let side: Int
    private let maxMessageBytes: Int

    private init(peer: PeerAddress, pipe: InMemoryPipe, side: Int, maxMessageBytes: Int) {
        self.peer = peer
        self.pipe = pipe
        self.side = side
        self.maxMessageBytes = maxMessageBytes
    }

    /// Both ends: the dialler's and the acceptor's.
    static func pair(
        between dialler: PeerAddress, and acceptor: PeerAddress, windowBytes: Int, maxMessageBytes: Int
    ) -> (InMemoryExchange, InMemoryExchange) {
        let pipe = InMemoryPipe(windowBytes: windowBytes)
        return (
            InMemoryExchange(peer: acceptor, pipe: pipe, side: 0, maxMessageBytes: maxMessageBytes),
            InMemoryExchange(peer: dialler, pipe: pipe, side: 1, maxMessageBytes: maxMessageBytes)
        )
    }

    deinit { pipe.close(by: side) }

    func send(_ message: [UInt8]) async throws(ExchangeError) {
        guard message.count <= maxMessageBytes else { throw .tooLarge }
        while true {
            if try pipe.append(message, from: side) { return }
            if Task.isCancelled { throw .closed }
            await pipe.waitForRoom(side)
        }
    }

    func receive() async throws(ExchangeError) -> [UInt8]? {
        while true {
            switch try pipe.take(by: side) {
            case .message(let message): return message
            case .ended: return nil
            case .nothing: break
            }
            if Task.isCancelled { throw .closed }
            await pipe.waitForMessage(side)
        }
    }

    func close() { pipe.close(by: side) }
}

/// The two directions between the ends of an exchange, each bounded by bytes.
///
/// `@unchecked Sendable`: all state is touched under `lock` only.
final class InMemoryPipe: @unchecked Sendable {
    enum Taken { case message([UInt8]), ended, nothing }

    /// Messages on their way from one side to the other.
    private struct Direction {
        var messages: [[UInt8]] = []
        var head = 0
        var bytes = 0
        var sender: CheckedContinuation<Void, Never>?
        var receiver: CheckedContinuation<Void, Never>?

        var isEmpty: Bool { head == messages.count }

        mutating func pop() -> [UInt8]? {
            guard !isEmpty else { return nil }
            let message = messages[head]
            messages[head] = []
            head += 1
            bytes -= message.count
            if isEmpty {
                messages = []
                head = 0
            }
            return message
        }
    }

    private let windowBytes: Int
    private let lock = NSLock()
    /// By the side that sends.
    private var directions = [Direction(), Direction()]
    private var closedBy: Set<Int> = []
    /// Ended by a transport that stopped: nobody can tell what arrived.
    private var isBroken = false
    private var endActions: [@Sendable () -> Void] = []

    init(windowBytes: Int) { self.windowBytes = windowBytes }

    /// `action` runs once, when either side has closed.
    func onEnd(_ action: @escaping @Sendable () -> Void) {
        let isOver = lock.withLock {
            if closedBy.isEmpty && !isBroken { endActions.append(action) }
            return !closedBy.isEmpty || isBroken
        }
        if isOver { action() }
    }

    /// `false` when there is no room now.
    func append(_ message: [UInt8], from side: Int) throws(ExchangeError) -> Bool {
        lock.lock()
        guard closedBy.isEmpty, !isBroken else {
            lock.unlock()
            throw .closed
        }
        guard directions[side].bytes < windowBytes else {
            lock.unlock()
            return false
        }
        directions[side].messages.append(message)
        directions[side].bytes += message.count
        let receiver = directions[side].receiver
        directions[side].receiver = nil
        lock.unlock()
        receiver?.resume()
        return true
    }

    func take(by side: Int) throws(ExchangeError) -> Taken {
        lock.lock()
        if closedBy.contains(side) {
            lock.unlock()
            throw .closed
        }
        if let message = directions[1 - side].pop() {
            var sender: CheckedContinuation<Void, Never>?
            if directions[1 - side].bytes < windowBytes { swap(&sender, &directions[1 - side].sender) }
            lock.unlock()
            sender?.resume()
            return .message(message)
        }
        let (isEnded, isBroken) = (closedBy.contains(1 - side), isBroken)
        lock.unlock()
        if isEnded { return .ended }
        if isBroken { throw .closed }
        return .nothing
    }

    func close(by side: Int) { end { $0.closedBy.insert(side).inserted } }

    func end() {
        end { pipe in
            defer { pipe.isBroken = true }
            return !pipe.isBroken
        }
    }

    func waitForRoom(_ side: Int) async {
        await wait(\.sender, of: side) { $0.directions[side].bytes >= $0.windowBytes }
    }

    func waitForMessage(_ side: Int) async {
        await wait(\.receiver, of: 1 - side) { $0.directions[1 - side].isEmpty }
    }

    private func end(_ mark: (InMemoryPipe) -> Bool) {
        lock.lock()
        guard mark(self) else { return lock.unlock() }
        let actions = endActions
        endActions = []
        let waiting = takeWaiters()
        lock.unlock()
        for continuation in waiting { continuation.resume() }
        for action in actions { action() }
    }

    private func wait(
        _ waiter: WritableKeyPath<Direction, CheckedContinuation<Void, Never>?>, of direction: Int,
        while isNeeded: (InMemoryPipe) -> Bool
    ) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                lock.lock()
                let mustWait = isNeeded(self) && closedBy.isEmpty && !isBroken && !Task.isCancelled
                if mustWait {
                    precondition(
                        directions[direction][keyPath: waiter] == nil, "one task sends and one receives in an exchange")
                    directions[direction][keyPath: waiter] = continuation
                }
                lock.unlock()
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            lock.lock()
            let waiting = takeWaiters()
            lock.unlock()
            for continuation in waiting { continuation.resume() }
        }
    }

    /// Called with the lock held. Whoever is woken without need looks again and waits on.
    private func takeWaiters() -> [CheckedContinuation<Void, Never>] {
        let waiting = directions.flatMap { [$0.sender, $0.receiver] }.compactMap { $0 }
        for index in directions.indices { (directions[index].sender, directions[index].receiver) = (nil, nil) }
        return waiting
    }
}
