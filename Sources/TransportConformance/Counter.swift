internal import Foundation

/// Counts from any thread, and notices when the counting has come to rest.
///
/// `@unchecked Sendable`: the mutable state is touched under `lock` only.
public final class Counter: @unchecked Sendable {
    /// Nothing counted yet.
    public init() {}

    private let lock = NSLock()
    private var count = 0
    private var lastChange = ContinuousClock.now

    /// How often `increment` was called.
    public var value: Int { lock.withLock { count } }

    /// Something was counted, and nothing more for 200 ms.
    public var isAtRest: Bool { lock.withLock { count > 0 && ContinuousClock.now - lastChange > .milliseconds(200) } }

    /// One more.
    public func increment() {
        lock.withLock {
            count += 1
            lastChange = .now
        }
    }
}
