import Foundation

/// Counts from any thread, and notices when the counting has come to rest.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    private var lastChange = ContinuousClock.now

    var value: Int { lock.withLock { count } }

    /// Something was counted, and nothing more for 200 ms.
    var isAtRest: Bool { lock.withLock { count > 0 && ContinuousClock.now - lastChange > .milliseconds(200) } }

    func increment() {
        lock.withLock {
            count += 1
            lastChange = .now
        }
    }
}
