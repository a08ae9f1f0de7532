internal import DequeModule
internal import class Foundation.NSLock
internal import Transport

/// Lets so many in at a time; further ones wait in the order in which they came, at the cost of a suspended task each.
///
/// `@unchecked Sendable`: all mutable state is touched under `lock` only.
final class Turns: @unchecked Sendable {
    private let lock = NSLock()
    private let maximumWaiting: Int
    private var free: Int
    private var waiting = Deque<CheckedContinuation<Bool, Never>>()

    init(_ count: Int, maximumWaiting: Int) {
        free = count
        self.maximumWaiting = maximumWaiting
    }

    /// Throws `Problem.unavailable` at once when too many wait already.
    func run<Value>(_ body: () async throws -> Value) async throws -> Value {
        if !takeFree() {
            guard await withCheckedContinuation({ wait($0) }) else { throw Problem.unavailable }
        }
        defer { give() }
        return try await body()
    }

    private func takeFree() -> Bool {
        lock.withLock {
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    private func wait(_ continuation: CheckedContinuation<Bool, Never>) {
        let answer: Bool? = lock.withLock {
            if free > 0 {
                free -= 1
                return true
            }
            guard waiting.count < maximumWaiting else { return false }
            waiting.append(continuation)
            return nil
        }
        if let answer { continuation.resume(returning: answer) }
    }

    private func give() {
        let next = lock.withLock {
            let next = waiting.popFirst()
            if next == nil { free += 1 }
            return next
        }
        next?.resume(returning: true)
    }
}
